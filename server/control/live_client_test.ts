import assert from "node:assert/strict";
import { memoryTransportPair } from "../../tests/memory_transport.ts";
import { type Hello, MAX_STREAMS, Session, Stream, StreamLimitError } from "../../tunnel/mod.ts";
import { LiveClient } from "./live_client.ts";

const HELLO: Hello = { version: 1, capabilities: [], session: "s", instance: "i-1", who: "alice", from: "laptop", nonce: "" };
const NOTHING = new Uint8Array();
const now = () => performance.now();

/** A client that accepts every stream. */
function attached(live: LiveClient): Session {
  const wires = memoryTransportPair();
  new Session(wires[0], { role: "client", now, onStream: () => {} });
  const session = new Session(wires[1], { role: "server", now });
  live.attach(session, HELLO);
  return session;
}

/** Runs a test with a client, and ends its keep-alive. */
function liveTest(name: string, fn: (live: LiveClient) => Promise<void>): void {
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const live = new LiveClient();
      try {
        await fn(live);
      } finally {
        live.session?.destroy(new Error("the test is over"));
      }
    },
  });
}

liveTest("callers that wait while all streams are taken get one as soon as one ends, in the order of arrival", async (live) => {
  attached(live);
  const open = await Promise.all(Array.from({ length: MAX_STREAMS }, () => live.open(NOTHING, 1_000))) as Stream[];
  const order: string[] = [];
  const since = performance.now();
  const waiting = ["a", "b", "c"].map((name) => live.open(NOTHING, 5_000).then((stream) => (order.push(name), stream)));
  open[0]!.reset();
  const late = live.open(NOTHING, 5_000).then((stream) => (order.push("late"), stream));
  for (const stream of open.slice(1, 4)) stream.reset();
  const streams = await Promise.all([...waiting, late]);
  assert.deepEqual(order, ["a", "b", "c", "late"]);
  assert.ok(streams.every((stream) => stream instanceof Stream));
  assert.ok(performance.now() - since < 1_000);
});

liveTest("a caller that waits too long while all streams are taken gets a StreamLimitError, and without a client nothing", async (live) => {
  assert.equal(await live.open(NOTHING, 10), undefined);
  attached(live);
  await Promise.all(Array.from({ length: MAX_STREAMS }, () => live.open(NOTHING, 1_000)));
  assert.ok(await live.open(NOTHING, 10) instanceof StreamLimitError);
});

liveTest(
  "a caller that waits for a client gets a stream when one connects, and one that waited too long leaves none behind",
  async (live) => {
    const early = live.open(NOTHING, 10);
    const patient = live.open(NOTHING, 5_000);
    assert.equal(await early, undefined);
    const session = attached(live);
    assert.ok(await patient instanceof Stream);
    assert.equal(session.streamCount, 1);
  },
);

liveTest("while a server is being stopped no caller waits for a client", async (live) => {
  const waiting = live.open(NOTHING, 60_000);
  live.drain();
  assert.equal(await waiting, undefined);
  assert.equal(await live.open(NOTHING, 60_000), undefined);
});
