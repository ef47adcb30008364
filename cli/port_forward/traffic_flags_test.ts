import assert from "node:assert/strict";
import { UserError } from "../command/errors.ts";
import { checkedFallback, requestRewrite } from "./traffic_flags.ts";

Deno.test("requests are changed only where the URL has a path or --host-header is given", () => {
  const target = { scheme: "http", path: "/", http2: false } as const;
  assert.equal(requestRewrite(target, {}), undefined);
  assert.deepEqual(requestRewrite({ ...target, path: "/api//" }, {}), { prefix: "/api", host: undefined });
  assert.deepEqual(requestRewrite({ ...target, scheme: "https" }, { hostHeader: "a:80" }), { prefix: "", host: "a:80" });
});

for (
  const [name, target, hostHeader, sentence] of [
    ["a path with h2", { scheme: "https", path: "/api", http2: true }, undefined, /the URL's path \/api works with HTTP\/1\.1 only/],
    ["--host-header with h2", { scheme: "https", http2: true }, "a", /--host-header works with HTTP\/1\.1 only/],
    ["--host-header with tcp", { scheme: "tcp", http2: false }, "a", /tcp:\/\/ passes bytes through unchanged/],
    ["--host-header with tls", { scheme: "tls", http2: false }, "a", /tls:\/\/ passes bytes through unchanged/],
    ["a header in the header", { scheme: "http", http2: false }, "a\r\nX: y", /"a\\r\\nX: y" is not a host/],
    ["a URL as host", { scheme: "http", http2: false }, "http://a/", /is not a host/],
    ["nothing as host", { scheme: "http", http2: false }, "", /is not a host/],
  ] as const
) {
  Deno.test(`refused at the start: ${name}`, () => {
    assert.throws(
      () => requestRewrite(target, hostHeader === undefined ? {} : { hostHeader }),
      (error) => error instanceof UserError && error.exitCode === 2 && sentence.test(error.message),
    );
  });
}

Deno.test("--fallback allow is for what the Pod can read: HTTP/1.1", () => {
  for (const scheme of ["http", "https"] as const) assert.equal(checkedFallback({ scheme, http2: false }, { fallback: "allow" }), "allow");
  for (const [target, why] of [[{ scheme: "tcp", http2: false }, /tcp:\/\//], [{ scheme: "tls", http2: false }, /tls:\/\//]] as const) {
    assert.throws(() => checkedFallback(target, { fallback: "allow" }), (error) => error instanceof UserError && why.test(error.message));
    assert.equal(checkedFallback(target, { fallback: "error" }), "error");
  }
  assert.throws(() => checkedFallback({ scheme: "https", http2: true }, { fallback: "allow" }), /remove --app-protocol h2/);
});
