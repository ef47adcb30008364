import assert from "node:assert/strict";
import { encodePreamble, memoryTransportPair, Session, type Stream } from "../../tunnel/mod.ts";
import { serveStream } from "./serve_stream.ts";
import { Traffic } from "./traffic.ts";
import { parseUpstream } from "./upstream.ts";

const now = () => performance.now();

/** A stream as the client gets it, and its other end. */
async function streamPair(): Promise<{ near: Stream; far: Stream }> {
  const [a, b] = memoryTransportPair();
  const opened = Promise.withResolvers<Stream>();
  new Session(b, { role: "client", now, onStream: opened.resolve });
  const far = new Session(a, { role: "server", now }).open(encodePreamble({ port: 8444, from: "10.0.0.1:1" }));
  return { near: await opened.promise, far };
}

Deno.test("a caller that leaves while the program is being connected leaves no connection to it open, and no failure of its", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const said: string[] = [];
  const { near, far } = await streamPair();
  const watch = { verbose: false, raw: undefined, traffic: new Traffic(), say: (line: string) => said.push(line), now };
  const serving = serveStream(near, { upstream: parseUpstream(`127.0.0.1:${listener.addr.port}`), watch });
  far.reset();
  await serving;
  const accepted = await listener.accept();
  assert.equal(await accepted.read(new Uint8Array(1)).catch(() => null), null);
  accepted.close();
  assert.ok(!said.some((line) => /refused|502/.test(line)), said.join());
});
