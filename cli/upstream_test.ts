import assert from "node:assert/strict";
import { UserError } from "./errors.ts";
import { dialUpstream, parseUpstream, UpstreamError } from "./upstream.ts";

for (
  const [text, url, host, port] of [
    ["http://localhost:8080", "http://localhost:8080", "localhost", 8080],
    ["localhost:8080", "http://localhost:8080", "localhost", 8080],
    ["8080", "http://localhost:8080", "localhost", 8080],
    ["http://127.0.0.1", "http://127.0.0.1", "127.0.0.1", 80],
    ["http://[::1]:3000/", "http://[::1]:3000", "::1", 3000],
    ["dev.local:3000", "http://dev.local:3000", "dev.local", 3000],
  ] as const
) {
  Deno.test(`${text} means ${url}`, () => assert.deepEqual(parseUpstream(text), { url, host, port }));
}

for (
  const text of ["ftp://localhost", "http://localhost:99999", "http://user:secret@localhost", "http://localhost/path", "http://", "::"]
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
