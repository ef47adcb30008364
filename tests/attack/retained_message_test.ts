/** A waiting payload is a view of its whole message: how much more than its credit can a peer make us keep? */
import assert from "node:assert/strict";
import { Flag, FrameType, HEADER_BYTES, writeHeader } from "../../tunnel/frame.ts";
import { memoryTransportPair } from "../memory_transport.ts";
import { INITIAL_WINDOW, Session, type Stream } from "../../tunnel/mod.ts";
import { memoryInUse, memoryTest } from "./memory_use.ts";

const STREAMS = 512;
/** The largest message that the control port accepts. */
const MESSAGE_BYTES = 256 * 1024 - 1;

memoryTest("unread payloads in large messages keep no more than twice their size in memory", async () => {
  const [wire, theirs] = memoryTransportPair();
  const streams: Stream[] = [];
  const session = new Session(theirs, { role: "server", now: () => performance.now(), onStream: (stream) => streams.push(stream) });
  const before = await memoryInUse();
  for (let i = 0; i < STREAMS; i++) {
    const message = new Uint8Array(MESSAGE_BYTES);
    writeHeader(message, 0, FrameType.data, Flag.syn, 1 + 2 * i, INITIAL_WINDOW);
    // The rest is a payload for a stream that does not exist.
    const rest = HEADER_BYTES + INITIAL_WINDOW;
    writeHeader(message, rest, FrameType.data, 0, 0xffff_fff1, MESSAGE_BYTES - rest - HEADER_BYTES);
    wire.send(message);
    if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  while (streams.length < STREAMS) await new Promise((resolve) => setTimeout(resolve));
  const used = await memoryInUse() - before;
  session.destroy(new Error("over"));
  assert.ok(used < 2.2 * STREAMS * INITIAL_WINDOW / 2 ** 20, `${used} MiB`);
});
