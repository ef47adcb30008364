/**
 * Compares kurun with kubectl over generated proxy variables: which proxy a server is reached through, if any.
 *
 * @module
 */
import assert from "node:assert/strict";
import { proxyFromEnvironment } from "../../k8s/api/http_proxy.ts";
import { certificateAuthority } from "../certificate_authority.ts";
import { ConnectProxy } from "../connect_proxy.ts";
import { SeededRandom } from "../seeded_random.ts";
import { kurunCommand } from "./kurun_process.ts";

const CASES = 120;
/** None of them answers: names do not resolve, and 127.0.0.0/8 refuses. */
const HOSTS = [
  "localhost",
  "127.0.0.1",
  "127.1.2.3",
  "[::1]",
  "api.test.invalid",
  "test.invalid",
  "a.b.test.invalid",
  "API.Test.invalid",
  "xtest.invalid",
  "api.test.invalid.",
];
const NO_PROXY = [
  ...["", "*", " ", "test.invalid", ".test.invalid", "*.test.invalid", "invalid", "api.test.invalid", "TEST.INVALID", "test.invalid:6443"],
  ...[
    "test.invalid:443",
    "api.test.invalid:6443",
    " test.invalid ",
    "other.invalid",
    "127.0.0.0/8",
    "::1",
    "*.invalid:6443",
    "test.invalid.",
    "*test.invalid",
  ],
  ...["api.test.invalid/8", "https://test.invalid", "test.invalid:", ":6443", "api.*", ".", "*.", "[::1]:6443"],
];

Deno.test("kurun and kubectl use the same proxy for generated variables and servers", async () => {
  const random = new SeededRandom(8);
  const contacted = new Set<string>();
  // A proxy that hangs up: that it was asked is enough.
  const listen = (name: string) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    (async () => {
      for await (const connection of listener) {
        contacted.add(name);
        connection.close();
      }
    })().catch(() => {});
    return listener;
  };
  using one = listen("one");
  using two = listen("two");
  const names = new Map([[one.addr.port, "one"], [two.addr.port, "two"]]);
  const counts = new Map<string, number>();
  const differences: string[] = [];
  for (let round = 0; round < CASES; round++) {
    const server = `${random.pick(["https", "https", "http"])}://${random.pick(HOSTS)}${random.pick(["", ":6443", ":443", ":8080"])}`;
    const variables: Record<string, string> = {};
    for (
      const [variable, { addr: { port } }] of [["HTTPS_PROXY", one], ["https_proxy", two], ["HTTP_PROXY", one], [
        "http_proxy",
        two,
      ]] as const
    ) {
      if (random.chance(0.5)) {
        const address = `127.0.0.1:${port}`;
        const proxies = [`http://${address}`, address, `http://u:p@${address}`, `socks5://${address}`, `socks5h://u:p@${address}`, ""];
        variables[variable] = random.pick(proxies);
      }
    }
    // As Go does, kubectl ignores it.
    if (random.chance(0.3)) variables.ALL_PROXY = `socks5://127.0.0.1:${two.addr.port}`;
    for (const variable of ["NO_PROXY", "no_proxy"]) {
      if (random.chance(0.6)) variables[variable] = Array.from({ length: 1 + random.below(2) }, () => random.pick(NO_PROXY)).join(",");
    }
    contacted.clear();
    await new Deno.Command("kubectl", {
      args: ["get", "--raw", "/probe", "--request-timeout=2s", "--server", server, "--kubeconfig", "/dev/null", "--token", "x"],
      env: variables,
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    const expected = [...contacted].join() || "none";
    const found = proxyFromEnvironment(new URL(server), { get: (name) => variables[name] });
    const actual = found === undefined ? "none" : names.get(Number(found.port));
    counts.set(expected, (counts.get(expected) ?? 0) + 1);
    if (actual !== expected) differences.push(`${server} ${JSON.stringify(variables)}: kubectl ${expected}, kurun ${actual}`);
  }
  assert.deepEqual(differences, []);
  for (const way of ["none", "one", "two"]) assert.ok((counts.get(way) ?? 0) >= CASES / 20, `${way}: ${counts.get(way)}`);
});

Deno.test("kurun and kubectl send a SOCKS proxy the same addresses and credentials, and verify an https proxy by the same authority", async () => {
  const ca = await certificateAuthority({ commonName: "proxy-ca", days: 1, now: new Date() });
  const tls = await ca.issue({ names: ["127.0.0.1"], days: 1, now: new Date() });
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/ca.crt`, ca.certPem);
    using socks = new ConnectProxy({ credentials: "jane:p w", resolve: () => "127.0.0.1" });
    using secure = new ConnectProxy({ tls, resolve: () => "127.0.0.1" });
    const servers = ["https://api.test.invalid:6443", "https://10.1.2.3", "https://[2001:db8::7:0:8]:6443", "http://api.test.invalid:8080"];
    const at = (port: number) => `127.0.0.1:${port}`;
    const name = servers[0] as string;
    const trusting = [`--certificate-authority=${folder}/ca.crt`];
    const ways: readonly { proxy: ConnectProxy; url: string; server: string; flags?: readonly string[]; asked: number }[] = [
      ...servers.map((server) => ({ proxy: socks, url: `socks5://jane:p%20w@${at(socks.port)}`, server, asked: 1 })),
      ...["jane:bad@", "jane@", ""].map((user) => ({ proxy: socks, url: `socks5h://${user}${at(socks.port)}`, server: name, asked: 0 })),
      { proxy: secure, url: `https://${at(secure.port)}`, server: name, asked: 0 },
      { proxy: secure, url: `https://${at(secure.port)}`, server: name, flags: trusting, asked: 1 },
    ];
    for (const { proxy, url, server, flags = [], asked } of ways) {
      for (const command of [["kubectl", "get", "--raw", "/x"], [...kurunCommand(), "ls"]]) {
        const [program, ...args] = [...command, "--server", server, "--kubeconfig", "/dev/null", "--token", "x", ...flags];
        const env = { ...Deno.env.toObject(), NO_PROXY: "", DENO_NO_UPDATE_CHECK: "1", HTTPS_PROXY: url, HTTP_PROXY: url };
        const options = { args, env, stdin: "null", stdout: "null", stderr: "null" } as const;
        await new Deno.Command(program as string, options).output();
        const { host } = new URL(server);
        const seen = new Set(proxy.asked.splice(0));
        const expected = asked === 0 ? [] : [`${host.replace(/[[\]]/g, "")}${/:\d+$/.test(host) ? "" : ":443"}`];
        assert.deepEqual([...seen], expected, `${command.at(-1)} ${url} ${server} ${flags}`);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
