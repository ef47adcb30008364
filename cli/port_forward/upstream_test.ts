import assert from "node:assert/strict";
import { UserError } from "../command/errors.ts";
import { dialUpstream, parseUpstream, UpstreamError } from "./upstream.ts";

for (
  const [text, url, scheme, host, port, more] of [
    ["http://localhost:8080", "http://localhost:8080", "http", "localhost", 8080],
    ["localhost:8080", "http://localhost:8080", "http", "localhost", 8080],
    ["8080", "http://localhost:8080", "http", "localhost", 8080],
    ["http://127.0.0.1", "http://127.0.0.1", "http", "127.0.0.1", 80],
    ["http://[::1]:3000/", "http://[::1]:3000", "http", "::1", 3000],
    ["dev.local:3000/api/v1", "http://dev.local:3000/api/v1", "http", "dev.local", 3000, { path: "/api/v1" }],
    ["https://dev.local", "https://dev.local", "https", "dev.local", 443, { trust: { insecure: false } }],
    ["https://localhost:8443", "https://localhost:8443", "https", "localhost", 8443, { trust: { insecure: true } }],
    ["https://127.1.2.3:8443", "https://127.1.2.3:8443", "https", "127.1.2.3", 8443, { trust: { insecure: true } }],
    ["https://127.example.com", "https://127.example.com", "https", "127.example.com", 443, { trust: { insecure: false } }],
    ["https://[::1]:8443", "https://[::1]:8443", "https", "::1", 8443, { trust: { insecure: true } }],
    ["tcp://localhost:5432", "tcp://localhost:5432", "tcp", "localhost", 5432],
    ["tls://[::1]:8443", "tls://[::1]:8443", "tls", "::1", 8443],
  ] as const
) {
  Deno.test(`${text} means ${url}`, () => {
    assert.deepEqual(parseUpstream(text), { scheme, url, host, port, path: "/", ...more });
  });
}

for (
  const text of [
    "ftp://localhost",
    "http://localhost:99999",
    "http://user:secret@localhost",
    "http://localhost/path?query",
    "http://",
    "::",
    "tcp://localhost",
    "tls://localhost",
    "tcp://localhost:5432/database",
    "tls://localhost:8443/path",
    "tcp://user:secret@localhost:5432",
  ]
) {
  Deno.test(`${text} is refused with a sentence, and no secret in it`, () => {
    assert.throws(
      () => parseUpstream(text),
      (error) => error instanceof UserError && error.exitCode === 2 && !error.message.includes("secret"),
    );
  });
}

Deno.test("a program that does not listen is named with what to do", async () => {
  await assert.rejects(
    dialUpstream(parseUpstream("9")),
    (error) => error instanceof UpstreamError && error.message === "http://localhost:9 refused the connection: is the program running?",
  );
});

Deno.test("localhost finds a program that listens on IPv6 alone, and one on IPv4 alone", async () => {
  for (const hostname of ["127.0.0.1", "::1"]) {
    using listener = Deno.listen({ port: 0, hostname });
    const accepted = listener.accept();
    const connection = await dialUpstream(parseUpstream(`localhost:${listener.addr.port}`));
    connection.reset();
    (await accepted).close();
  }
});
