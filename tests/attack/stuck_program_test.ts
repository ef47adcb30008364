/** A program in a debugger reads nothing for hours; what callers send in the meantime must not pile up here. */
import assert from "node:assert/strict";
import { serveStream } from "../../cli/port_forward/serve_stream.ts";
import { Traffic } from "../../cli/port_forward/traffic.ts";
import { parseUpstream } from "../../cli/port_forward/upstream_url.ts";
import { memoryTransportPair } from "../memory_transport.ts";
import { encodePreamble, Session } from "../../tunnel/mod.ts";

const now = () => performance.now();

Deno.test({
  name: "a caller that leaves while the program reads nothing leaves no connection to the program open",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const [a, b] = memoryTransportPair();
    const traffic = new Traffic();
    const watch = { verbose: false, traffic, say: () => {}, now, date: () => new Date() };
    const upstream = parseUpstream(`127.0.0.1:${listener.addr.port}`);
    const ended = Promise.withResolvers<void>();
    new Session(b, { role: "client", now, onStream: (stream) => void serveStream(stream, { upstream, ...watch }).then(ended.resolve) });
    const session = new Session(a, { role: "server", now });
    const caller = session.open(encodePreamble({ port: 80, from: "10.0.0.1:1" }));
    using _program = await listener.accept();
    let sent = 0;
    const sending = (async () => {
      for (;; sent += 65_536) await caller.write(new Uint8Array(65_536));
    })().catch(() => {});
    // Until the program's socket accepts no more.
    for (let before = -1; before < sent;) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    caller.reset();
    await sending;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise((resolve) => timer = setTimeout(resolve, 1_000, "late"));
    assert.notEqual(await Promise.race([ended.promise, late]), "late", "the stream is still being served a second after it was reset");
    clearTimeout(timer);
    assert.equal(traffic.open, 0);
    session.destroy(new Error("over"));
  },
});
