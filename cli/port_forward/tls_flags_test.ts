import assert from "node:assert/strict";
import { UserError } from "../command/errors.ts";
import { callerSide, type TrafficFlags, trustUpstream } from "./traffic_flags.ts";
import { parseUpstream } from "./upstream_url.ts";

for (
  const [url, flags, side] of [
    ["http://localhost:1", {}, { scheme: "http" }],
    ["https://localhost:1", {}, { scheme: "http" }],
    ["http://localhost:1", { appProtocol: "h2" }, { scheme: "http", appProtocol: "kubernetes.io/h2c" }],
    ["http://localhost:1", { tlssecret: "s" }, {
      scheme: "https",
      appProtocol: "https",
      tls: { secret: "s", alpn: ["http/1.1"] },
    }],
    [
      "https://localhost:1",
      { tlssecret: "s", appProtocol: "h2" },
      { scheme: "https", appProtocol: "https", tls: { secret: "s", alpn: ["h2", "http/1.1"] } },
    ],
    ["tcp://localhost:1", {}, { scheme: "tcp" }],
    ["tcp://localhost:1", { tlssecret: "s" }, { scheme: "tls", tls: { secret: "s", alpn: [] } }],
    ["tls://localhost:1", {}, { scheme: "tls" }],
  ] as const
) {
  const said = Object.entries(flags).map(([flag, value]) => `${flag} ${value}`).join(" and ") || "no flag";
  Deno.test(`callers of ${url} with ${said} speak ${side.scheme}`, () => assert.deepEqual(callerSide(parseUpstream(url), flags), side));
}

const authority = await Deno.makeTempFile();
await Deno.writeTextFile(authority, "no certificate");

for (
  const [url, flags, sentence] of [
    [
      "tls://localhost:1",
      { tlssecret: "s" },
      /^--tlssecret terminates the callers' TLS .* tls:\/\/localhost:1 passes it through: remove --tlssecret/,
    ],
    ["http://localhost:1", { tlssecret: "My_Secret" }, /^--tlssecret My_Secret is not a valid Secret name/],
    ["tcp://localhost:1", { appProtocol: "h2" }, /^--app-protocol is for HTTP/],
    ["http://localhost:1", { upstreamCa: "ca.pem" }, /^--upstream-ca is only for https:\/\/ URLs, got http:\/\/localhost:1$/],
    ["tls://localhost:1", { upstreamInsecure: true }, /^--upstream-insecure is only for https:\/\//],
    ["https://localhost:1", { upstreamCa: "ca.pem", upstreamInsecure: true }, /cannot be combined/],
    ["https://localhost:1", { upstreamCa: "/does/not/exist" }, /^--upstream-ca \/does\/not\/exist cannot be read: /],
    ["https://localhost:1", { upstreamCa: authority }, /contains no PEM certificate$/],
  ] as [string, Partial<TrafficFlags>, RegExp][]
) {
  Deno.test(`${url} with ${Object.keys(flags).join(" and ")} is refused: ${sentence.source}`, async () => {
    const upstream = parseUpstream(url);
    await assert.rejects(
      async () => callerSide(await trustUpstream(upstream, flags), flags),
      (error) => error instanceof UserError && error.exitCode === 2 && sentence.test(error.message),
    );
  });
}

Deno.test("a program on loopback is verified only with --upstream-ca, any other one unless --upstream-insecure is given", async () => {
  await Deno.writeTextFile(authority, "-----BEGIN CERTIFICATE-----\n");
  const trust = async (url: string, flags: Partial<TrafficFlags>) => (await trustUpstream(parseUpstream(url), flags)).trust;
  assert.deepEqual(await trust("https://localhost:1", {}), { insecure: true });
  assert.deepEqual(await trust("https://localhost:1", { upstreamCa: authority }), { insecure: false, ca: "-----BEGIN CERTIFICATE-----\n" });
  assert.deepEqual(await trust("https://dev.example:1", {}), { insecure: false });
  assert.deepEqual(await trust("https://dev.example:1", { upstreamInsecure: true }), { insecure: true });
});
