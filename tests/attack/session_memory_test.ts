/** How much memory a hostile peer can make a session keep, measured after a full garbage collection. */
import assert from "node:assert/strict";
import { Flag, FrameType, HEADER_BYTES, writeHeader } from "../../tunnel/frame.ts";
import { type MemoryTransport, memoryTransportPair } from "../memory_transport.ts";
import { INITIAL_WINDOW, MAX_STREAMS, Session, type SessionEnd, SessionEndedError, type Stream } from "../../tunnel/mod.ts";
import { memoryInUse, memoryTest } from "./memory_use.ts";

const now = () => performance.now();
const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

interface Victim {
  readonly wire: MemoryTransport;
  readonly session: Session;
  readonly ends: SessionEnd[];
}

function victim(onStream: (stream: Stream) => void): Victim {
  const [wire, theirs] = memoryTransportPair();
  const ends: SessionEnd[] = [];
  return { wire, ends, session: new Session(theirs, { role: "server", now, onStream, onEnd: (end) => ends.push(end) }) };
}

memoryTest("250,000 streams that are opened and reset leave nothing in memory", async () => {
  let opened = 0;
  const { wire, session, ends } = victim(() => opened++);
  const before = await memoryInUse();
  for (let round = 0; round < 50; round++) {
    const frames = new Uint8Array(HEADER_BYTES * 10_000);
    for (let i = 0; i < 10_000; i++) {
      const id = 1 + 2 * (round * 5_000 + (i >> 1));
      writeHeader(frames, i * HEADER_BYTES, i % 2 ? FrameType.windowUpdate : FrameType.data, i % 2 ? Flag.rst : Flag.syn, id, 0);
    }
    wire.send(frames);
    await turn();
  }
  assert.deepEqual([opened, session.streamCount, session.budget.granted, ends.length], [250_000, 0, 0, 0]);
  assert.ok(await memoryInUse() - before < 4, `${await memoryInUse() - before} MiB`);
});

memoryTest("unread bytes, in frames of every size on every stream, take little more memory than their windows", async () => {
  const streams: Stream[] = [];
  const { wire, session, ends } = victim((stream) => streams.push(stream));
  const before = await memoryInUse();
  const sizes = [1, 100, 5_000, 20_000, INITIAL_WINDOW];
  for (let i = 0; i < MAX_STREAMS; i++) {
    const size = sizes[i % sizes.length] as number;
    const count = Math.floor(INITIAL_WINDOW / size);
    for (let sent = 0; sent < count;) {
      const frames = Math.min(count - sent, Math.max(1, Math.floor(60_000 / (HEADER_BYTES + size))));
      const message = new Uint8Array(frames * (HEADER_BYTES + size));
      for (let k = 0; k < frames; k++) {
        writeHeader(message, k * (HEADER_BYTES + size), FrameType.data, sent + k ? 0 : Flag.syn, 1 + 2 * i, size);
      }
      wire.send(message);
      sent += frames;
    }
    if (i % 50 === 0) await turn();
  }
  while (wire.buffered > 0) await turn();
  assert.deepEqual([streams.length, ends.length], [MAX_STREAMS, 0]);
  const used = await memoryInUse() - before;
  assert.ok(used < 1.3 * MAX_STREAMS * INITIAL_WINDOW / 2 ** 20, `${used} MiB`);
  session.destroy(new Error("over"));
  streams.length = 0;
  assert.ok(await memoryInUse() - before < 4, `${await memoryInUse() - before} MiB remain`);
});

memoryTest("writers to a peer that never gives credit hold only their own bytes, and get the error of the end", async () => {
  const [wire, theirs] = memoryTransportPair();
  const session = new Session(theirs, { role: "client", now });
  wire.onmessage = () => {};
  const big = new Uint8Array(1_000_000);
  const before = await memoryInUse();
  const ends = await Promise.all(Array.from({ length: MAX_STREAMS }, async () => {
    const stream = session.open(new Uint8Array());
    let failed: unknown;
    const writing = (async () => await stream.write(big))().catch((error) => failed = error);
    await turn();
    return { writing, failed: () => failed };
  }));
  assert.ok(await memoryInUse() - before < 8, `${await memoryInUse() - before} MiB`);
  session.destroy(new Error("over"));
  await Promise.all(ends.map(({ writing }) => writing));
  assert.ok(ends.every(({ failed }) => failed() instanceof SessionEndedError));
  assert.equal(session.budget.granted, 0);
});
