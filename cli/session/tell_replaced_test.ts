import assert from "node:assert/strict";
import { handshakeAsServer, importKey, type MemoryTransport, memoryTransportPair, Session } from "../../tunnel/mod.ts";
import { takePlace } from "./start_session.ts";

const handshake = {
  key: await importKey(new Uint8Array(32)),
  hello: { capabilities: [], session: "s", instance: "i", who: "ann", from: "laptop" },
};

/** Takes a place at a server that does `then` with the proven connection. */
async function takeFrom(then: (far: MemoryTransport, rest: readonly Uint8Array[]) => void, ms = 10_000): Promise<void> {
  const [near, far] = memoryTransportPair();
  handshakeAsServer(far, { ...handshake, signal: AbortSignal.timeout(1_000) }).then(({ rest }) => then(far, rest));
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), ms);
  await takePlace(near, { ...handshake, signal: stop.signal }, () => performance.now()).finally(() => clearTimeout(timer));
}

function serve(far: MemoryTransport, rest: readonly Uint8Array[]): void {
  const session = new Session(far, { role: "server", now: () => performance.now() });
  for (const message of rest) session.receive(message);
}

Deno.test("taking the place of a client ends when the server answers", async () => {
  await takeFrom(serve);
});

Deno.test("taking the place of a client ends with the session, and at the deadline", async () => {
  await assert.rejects(takeFrom((far) => far.destroy()), /the session ended first/);
  await assert.rejects(takeFrom(() => {}, 50), /the server did not answer in time/);
});
