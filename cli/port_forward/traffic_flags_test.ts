import assert from "node:assert/strict";
import { UserError } from "../command/errors.ts";
import { checkFallback, requestRewrite } from "./traffic_flags.ts";

Deno.test("requests are changed only where the URL has a path or --host-header is given", () => {
  assert.equal(requestRewrite({ scheme: "http", path: "/" }, {}), undefined);
  assert.deepEqual(requestRewrite({ scheme: "http", path: "/api//" }, {}), { prefix: "/api", host: undefined });
  assert.deepEqual(requestRewrite({ scheme: "https", path: "/" }, { hostHeader: "a:80" }), { prefix: "", host: "a:80" });
});

for (
  const [name, target, flags, sentence] of [
    ["a path with h2", { scheme: "https", path: "/api" }, { appProtocol: "h2" }, /the URL's path \/api works with HTTP\/1\.1 only/],
    [
      "--host-header with h2",
      { scheme: "https", path: "/" },
      { appProtocol: "h2", hostHeader: "a" },
      /--host-header works with HTTP\/1\.1 only/,
    ],
    ["--host-header with tcp", { scheme: "tcp", path: "/" }, { hostHeader: "a" }, /tcp:\/\/ passes bytes through unchanged/],
    ["--host-header with tls", { scheme: "tls", path: "/" }, { hostHeader: "a" }, /tls:\/\/ passes bytes through unchanged/],
    ["a header in the header", { scheme: "http", path: "/" }, { hostHeader: "a\r\nX: y" }, /"a\\r\\nX: y" is not a host/],
    ["a URL as host", { scheme: "http", path: "/" }, { hostHeader: "http://a/" }, /is not a host/],
    ["nothing as host", { scheme: "http", path: "/" }, { hostHeader: "" }, /is not a host/],
  ] as const
) {
  Deno.test(`refused at the start: ${name}`, () => {
    assert.throws(
      () => requestRewrite(target, flags),
      (error) => error instanceof UserError && error.exitCode === 2 && sentence.test(error.message),
    );
  });
}

Deno.test("--fallback allow is for what the Pod can read: HTTP/1.1", () => {
  for (const scheme of ["http", "https"] as const) checkFallback(scheme, { fallback: "allow" });
  for (const scheme of ["tcp", "tls"] as const) {
    assert.throws(
      () => checkFallback(scheme, { fallback: "allow" }),
      (error) => error instanceof UserError && error.message.includes(`requests of ${scheme}://`),
    );
    checkFallback(scheme, { fallback: "error" });
  }
  assert.throws(() => checkFallback("https", { appProtocol: "h2", fallback: "allow" }), /remove --app-protocol h2/);
});
