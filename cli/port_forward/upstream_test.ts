import assert from "node:assert/strict";
import { dialUpstream, UpstreamError } from "./upstream.ts";
import { parseUpstream } from "./upstream_url.ts";

Deno.test("a program that does not listen is named with what to do", async () => {
  await assert.rejects(
    dialUpstream(parseUpstream("9")),
    (error) => error instanceof UpstreamError && error.message === "http://localhost:9 refused the connection: is the program running?",
  );
});

Deno.test("localhost finds a program that listens on IPv6 only, and one on IPv4 only", async () => {
  for (const hostname of ["127.0.0.1", "::1"]) {
    using listener = Deno.listen({ port: 0, hostname });
    const accepted = listener.accept();
    const connection = await dialUpstream(parseUpstream(`localhost:${listener.addr.port}`));
    connection.reset();
    (await accepted).close();
  }
});
