import assert from "node:assert/strict";
import { concat } from "./bytes.ts";
import { ProtocolError, SessionEndedError, StreamLimitError, StreamResetError } from "./errors.ts";
import { Flag, FrameType, HEADER_BYTES, writeHeader } from "./frame.ts";
import { type MemoryTransport, memoryTransportPair } from "../tests/memory_transport.ts";
import { adopt, HEADROOM_BYTES, READ_BYTES } from "./read_buffers.ts";
import { INITIAL_WINDOW } from "./receive_window.ts";
import { MAX_FRAME_BYTES, MAX_STREAMS, Session, type SessionEnd } from "./session.ts";
import type { Stream } from "./stream.ts";

const now = () => performance.now();
const text = (bytes: Uint8Array | null) => bytes && new TextDecoder().decode(bytes);
const bytes = (text: string) => new TextEncoder().encode(text);

interface Pair {
  client: Session;
  server: Session;
  wires: [MemoryTransport, MemoryTransport];
  ends: SessionEnd[];
}

function pair(onStream?: (stream: Stream) => void): Pair {
  const wires = memoryTransportPair();
  const ends: SessionEnd[] = [];
  const onEnd = (end: SessionEnd) => void ends.push(end);
  const client = new Session(wires[0], { role: "client", now, onEnd });
  const server = new Session(wires[1], { role: "server", now, onEnd, ...(onStream ? { onStream } : {}) });
  return { client, server, wires, ends };
}

async function echo(stream: Stream): Promise<void> {
  for (;;) {
    const chunk = await stream.read();
    if (chunk === null) return stream.closeWrite();
    await stream.write(chunk.slice());
  }
}

async function readAll(stream: Stream): Promise<number> {
  let total = 0;
  for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) total += chunk.length;
  return total;
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

function header(type: number, flags: number, id: number, length: number, payload = 0): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + payload);
  writeHeader(frame, 0, type, flags, id, length);
  return frame;
}

/** A session that accepts streams, at the far end of a transport whose frames the test writes by hand. */
function victim(onStream: (stream: Stream) => void = () => {}): { wire: MemoryTransport; session: Session; ends: SessionEnd[] } {
  const [wire, theirs] = memoryTransportPair();
  const ends: SessionEnd[] = [];
  return { wire, session: new Session(theirs, { role: "server", now, onStream, onEnd: (end) => ends.push(end) }), ends };
}

Deno.test("bytes go both ways over a stream, and each way ends by itself", async () => {
  const { client, server } = pair(echo);
  const stream = client.open(bytes("hello"));
  assert.equal(text(await stream.read()), "hello");
  await stream.write(bytes("again"));
  assert.equal(text(await stream.read()), "again");
  stream.closeWrite();
  assert.equal(await stream.read(), null);
  await settle();
  assert.equal(client.streamCount + server.streamCount, 0);
});

Deno.test("bytes whose memory is freed as soon as they are released arrive unchanged", async () => {
  const { client } = pair(echo);
  const sent = Uint8Array.from({ length: 40_000 }, (_, at) => at * 7);
  const given = sent.slice();
  adopt(given);
  const stream = client.open(new Uint8Array());
  await stream.write(given);
  stream.closeWrite();
  const back: Uint8Array[] = [];
  for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) back.push(chunk.slice());
  assert.deepEqual(concat(...back), sent);
  assert.equal(given.buffer.byteLength, 0);
});

Deno.test("half-close: one side keeps sending after the other has ended its direction", async () => {
  const { client } = pair(async (stream) => {
    await readAll(stream);
    await stream.write(bytes("after your end"));
    stream.closeWrite();
  });
  const stream = client.open(bytes("x"));
  stream.closeWrite();
  assert.equal(text(await stream.read()), "after your end");
  assert.equal(await stream.read(), null);
});

Deno.test("a stream is acknowledged immediately, before anybody reads it", async () => {
  const [wire, theirs] = memoryTransportPair();
  new Session(theirs, { role: "server", now, onStream: () => {} });
  const frames: Uint8Array[] = [];
  wire.onmessage = (message) => frames.push(message);
  wire.send(header(FrameType.windowUpdate, Flag.syn, 1, 0));
  await settle();
  assert.deepEqual([...frames[0]!], [...header(FrameType.windowUpdate, Flag.ack, 1, 0)]);
});

Deno.test("a stream that is closed before it is acknowledged still delivers its bytes", async () => {
  const got = Promise.withResolvers<number>();
  const { client } = pair((stream) => void readAll(stream).then(got.resolve));
  const stream = client.open(bytes("12345"));
  stream.closeWrite();
  assert.equal(await got.promise, 5);
});

for (const [name, size] of [["small", 100], ["large", 3_000_000], ["very large", 50_000_000]] as const) {
  Deno.test(`${name} data arrives whole, in frames of 64 KiB at most`, async () => {
    const got = Promise.withResolvers<number>();
    const { client } = pair((stream) => void readAll(stream).then(got.resolve, got.reject));
    const stream = client.open(new Uint8Array());
    for (let at = 0; at < size; at += 500_000) await stream.write(new Uint8Array(Math.min(500_000, size - at)));
    stream.closeWrite();
    assert.equal(await got.promise, size);
  });
}

Deno.test("frames are never longer than 64 KiB", async () => {
  const [wire, theirs] = memoryTransportPair();
  const session = new Session(theirs, { role: "client", now, initialWindow: 1024 * 1024 });
  const lengths: number[] = [];
  wire.onmessage = (message) => lengths.push(message.length);
  session.open(new Uint8Array(300_000));
  await settle();
  assert.ok(Math.max(...lengths) <= MAX_FRAME_BYTES + HEADER_BYTES, `${lengths}`);
});

Deno.test("frames of one turn leave as one message", async () => {
  const { client, wires } = pair(() => {});
  const before = wires[0].sent.messages;
  for (let i = 0; i < 50; i++) client.open(bytes("a request"));
  await settle();
  assert.equal(wires[0].sent.messages - before, 1);
});

Deno.test("frames of one turn leave as one message, also when promises settle between them", async () => {
  const { client, wires } = pair(() => {});
  for (let i = 0; i < 10; i++) {
    client.open(bytes("a"));
    for (let round = 0; round < 5; round++) await null;
  }
  assert.equal(wires[0].sent.messages, 0);
  await settle();
  assert.equal(wires[0].sent.messages, 1);
});

Deno.test("a message of many small frames fits into a read buffer with a WebSocket's header before it", async () => {
  const { wire, session } = victim();
  const sizes: number[] = [];
  wire.onmessage = (message) => sizes.push(message.length);
  for (let i = 0; i < 1_000; i++) session.open(new Uint8Array(200));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(sizes.reduce((sum, size) => sum + size), 1_000 * (200 + HEADER_BYTES));
  assert.ok(sizes.every((size) => size + HEADROOM_BYTES <= READ_BYTES), sizes.join());
});

Deno.test("a hundred concurrent streams each get their own bytes back", async () => {
  const { client } = pair(echo);
  await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    const stream = client.open(bytes(`stream ${i}`));
    assert.equal(text(await stream.read()), `stream ${i}`);
    stream.closeWrite();
    assert.equal(await stream.read(), null);
  }));
});

Deno.test("both sides open streams at the same time", async () => {
  const wires = memoryTransportPair();
  const client = new Session(wires[0], { role: "client", now, onStream: echo });
  const server = new Session(wires[1], { role: "server", now, onStream: echo });
  const [a, b] = [client.open(bytes("from the client")), server.open(bytes("from the server"))];
  assert.equal(text(await a.read()), "from the client");
  assert.equal(text(await b.read()), "from the server");
});

Deno.test("a reader that stops stops only its own stream, after one window", async () => {
  const stopped: Stream[] = [];
  const { client } = pair((stream) => void (stopped.length === 0 ? stopped.push(stream) : echo(stream)));
  const stuck = client.open(new Uint8Array());
  await settle();
  let done = false;
  Promise.resolve(stuck.write(new Uint8Array(1_000_000))).then(() => done = true, () => {});
  const lively = client.open(bytes("still here"));
  assert.equal(text(await lively.read()), "still here");
  assert.equal(done, false);
  let got = 0;
  while (got < 1_000_000) got += (await stopped[0]!.read())!.length;
  await settle();
  assert.equal(done, true);
});

Deno.test("credit is returned for bytes that were consumed, not for bytes that arrived", async () => {
  const streams: Stream[] = [];
  const { wire, ends } = victim((stream) => streams.push(stream));
  const updates: number[] = [];
  wire.onmessage = (message) => {
    for (let at = 0; at < message.length; at += HEADER_BYTES) {
      if (message[at + 1] === 1 && message[at + 9]! + message[at + 10]! > 0) updates.push(at);
    }
  };
  wire.send(header(FrameType.data, Flag.syn, 1, INITIAL_WINDOW, INITIAL_WINDOW));
  await settle();
  assert.deepEqual(updates, []);
  await streams[0]!.read();
  await settle();
  assert.deepEqual(updates, []);
  streams[0]!.read();
  await settle();
  assert.equal(updates.length, 1);
  assert.deepEqual(ends, []);
});

Deno.test("small pieces are taken as they arrive, and their credit is returned; one that has to wait stops the sender", async () => {
  const streams: Stream[] = [];
  const { client } = pair((stream) => streams.push(stream));
  const sender = client.open(bytes("x"));
  await settle();
  const [receiver] = streams as [Stream];
  await receiver.read();
  let taken = 0;
  const go = Promise.withResolvers<void>();
  const limit = 2 * INITIAL_WINDOW;
  const reading = receiver.readSmall((piece) => {
    taken += piece.length;
    return taken > limit ? go.promise : undefined;
  });
  const piece = new Uint8Array(4_000);
  while (taken <= limit) await (sender.writeSmall(piece) ?? settle());
  let waits: Promise<void> | undefined;
  for (let left = 4 * INITIAL_WINDOW; left > 0 && !waits; left -= piece.length) waits = sender.writeSmall(piece) ?? undefined;
  assert.ok(waits, "the sender waits for credit");
  await settle();
  assert.ok(taken <= limit + piece.length, "nothing is taken while one piece waits");
  go.resolve();
  assert.deepEqual(await reading, new Uint8Array(0), "what has arrived meanwhile is read next");
  const rest = readAll(receiver);
  await waits;
  sender.closeWrite();
  assert.ok(await rest > 0);
});

Deno.test("what a taker throws, what it does not take, and a reset reach the reader of small pieces", async () => {
  const streams: Stream[] = [];
  const { client } = pair((stream) => streams.push(stream));
  const sender = client.open(bytes("x"));
  await settle();
  const [receiver] = streams as [Stream];
  await receiver.read();
  const takers: [(piece: Uint8Array) => false | Promise<void>, string | RegExp][] = [
    [() => false, "piece"],
    [() => {
      throw new Error("broke");
    }, /broke/],
    [() => Promise.reject(new Error("broke later")), /broke later/],
  ];
  for (const [take, wanted] of takers) {
    const reading = receiver.readSmall(take);
    sender.writeSmall(bytes("piece"));
    if (typeof wanted === "string") assert.equal(text(await reading), wanted);
    else await assert.rejects(reading, wanted);
  }
  const reading = receiver.readSmall(() => {});
  sender.reset();
  await assert.rejects(reading, StreamResetError);
  assert.throws(() => sender.writeSmall(bytes("late")), StreamResetError);
});

Deno.test("a reset ends both directions of one stream on both sides, and no other stream", async () => {
  const theirs: Stream[] = [];
  const { client, server } = pair((stream) => void (theirs.length === 0 ? theirs.push(stream) : echo(stream)));
  const stream = client.open(bytes("x"));
  const other = client.open(bytes("y"));
  await settle();
  stream.reset();
  await assert.rejects(stream.read(), StreamResetError);
  await theirs[0]!.read().catch(() => {});
  await assert.rejects(theirs[0]!.read(), StreamResetError);
  assert.throws(() => theirs[0]!.write(bytes("z")), StreamResetError);
  assert.equal(text(await other.read()), "y");
  await settle();
  assert.deepEqual([client.streamCount, server.streamCount], [1, 1]);
});

Deno.test("a stream that was reset before anybody listened for it tells its listener immediately", async () => {
  const theirs: Stream[] = [];
  const { client } = pair((stream) => void theirs.push(stream));
  client.open(bytes("x")).reset();
  await settle();
  const errors: Error[] = [];
  theirs[0]!.onFailure((error) => errors.push(error));
  assert.ok(errors[0] instanceof StreamResetError);
});

Deno.test("a writer that waits for credit gets the error of a reset", async () => {
  const { client } = pair((stream) => setTimeout(() => stream.reset(), 5));
  const stream = client.open(new Uint8Array());
  await assert.rejects(async () => await stream.write(new Uint8Array(1_000_000)), StreamResetError);
});

Deno.test("bytes that were under way when their stream was reset are silently dropped", async () => {
  const { client, ends } = pair(async (stream) => {
    try {
      for (;;) await stream.write(new Uint8Array(10_000));
    } catch (error) {
      assert.ok(error instanceof StreamResetError);
    }
  });
  const stream = client.open(bytes("x"));
  await stream.read();
  stream.reset();
  await settle();
  assert.deepEqual(ends, []);
  assert.equal(client.ended, false);
});

Deno.test("a payload that arrives in TLS records is read two of them at a time, and its end at once", async () => {
  const { promise, resolve } = Promise.withResolvers<Stream>();
  const { wire } = victim(resolve);
  wire.send(header(FrameType.windowUpdate, Flag.syn, 1, 0));
  const stream = await promise;
  const payload = Uint8Array.from({ length: 60_000 }, (_, i) => i);
  const sizes: number[] = [];
  const read: number[] = [];
  const reading = (async () => {
    for (let part = await stream.read(); part !== null; part = await stream.read()) {
      sizes.push(part.length);
      read.push(...part);
    }
  })();
  const frame = concat(header(FrameType.data, 0, 1, payload.length), payload);
  for (let at = 0; at < frame.length; at += 16_384) {
    wire.send(frame.slice(at, at + 16_384));
    await settle();
  }
  assert.deepEqual(sizes, [2 * 16_384 - HEADER_BYTES, payload.length - 2 * 16_384 + HEADER_BYTES]);
  for (const part of [concat(header(FrameType.data, 0, 1, 3), bytes("abc")), concat(header(FrameType.data, Flag.fin, 1, 5), bytes("de"))]) {
    wire.send(part);
    await settle();
  }
  assert.deepEqual(sizes.slice(2), [3]);
  wire.send(bytes("fgh"));
  await reading;
  assert.deepEqual(sizes.slice(3), [5]);
  assert.deepEqual(read, [...payload, ...bytes("abcdefgh")]);
});

Deno.test("a reader that waits for the rest of a payload learns that the session has ended", async () => {
  const { promise, resolve } = Promise.withResolvers<Stream>();
  const { wire, session } = victim(resolve);
  wire.send(header(FrameType.windowUpdate, Flag.syn, 1, 0));
  const read = assert.rejects((await promise).read(), SessionEndedError);
  wire.send(concat(header(FrameType.data, 0, 1, 50_000), new Uint8Array(10_000)));
  await settle();
  session.destroy(new Error("cut"));
  await read;
});

Deno.test("streams are refused if nobody accepts them", async () => {
  const { client } = pair();
  await assert.rejects(client.open(bytes("x")).read(), StreamResetError);
});

Deno.test("at most 1,024 streams are open: both sides refuse one more, and open one again when another has ended", async () => {
  const { client } = pair(() => {});
  const streams = Array.from({ length: MAX_STREAMS }, () => client.open(new Uint8Array()));
  assert.throws(() => client.open(new Uint8Array()), StreamLimitError);
  let rooms = 0;
  client.onroom = () => void rooms++;
  streams[0]!.reset();
  streams[1]!.reset();
  assert.equal(rooms, 1, "told once, when there was none");
  client.open(new Uint8Array());
  const { wire, ends, session } = victim();
  for (let i = 0; i < MAX_STREAMS + 10; i++) wire.send(header(FrameType.windowUpdate, Flag.syn, 1 + 2 * i, 0));
  await settle();
  assert.equal(session.streamCount, MAX_STREAMS);
  assert.deepEqual(ends, []);
});

Deno.test("a ping is answered and measures the round trip", async () => {
  const { client } = pair();
  const ms = await client.ping();
  assert.ok(ms >= 0 && ms < 1_000);
  assert.equal(client.budget.roundTripMs, ms);
});

Deno.test("after go-away no stream is opened, and open streams continue", async () => {
  const { client, server } = pair(echo);
  const stream = client.open(bytes("before"));
  await stream.read();
  server.goAway();
  await settle();
  assert.throws(() => client.open(bytes("after")), SessionEndedError);
  await stream.write(bytes("still"));
  assert.equal(text(await stream.read()), "still");
});

Deno.test("when the session ends, every reader and writer on both sides gets its error, once", async () => {
  const { client, server, ends } = pair(() => {});
  const stream = client.open(bytes("x"));
  const reading = assert.rejects(stream.read(), SessionEndedError);
  await settle();
  server.close(4001, "replaced by alice");
  await reading;
  assert.throws(() => client.open(bytes("y")), /replaced by alice/);
  await settle();
  assert.deepEqual(ends.map(({ transport }) => transport.code), [4001, 4001]);
});

Deno.test("a direction that arrived complete can be read after the session has ended", async () => {
  const { client, server } = pair(async (stream) => {
    await stream.write(bytes("whole"));
    stream.closeWrite();
  });
  const stream = client.open(bytes("x"));
  await settle();
  server.destroy(new Error("gone"));
  await settle();
  assert.equal(text(await stream.read()), "whole");
  assert.equal(await stream.read(), null);
});

Deno.test("small pieces that nobody reads take little more memory than their bytes", async () => {
  const streams: Stream[] = [];
  const { wire } = victim((stream) => streams.push(stream));
  wire.send(header(FrameType.data, Flag.syn, 1, 1, 1));
  for (let i = 1; i < 10_000; i++) wire.send(header(FrameType.data, 0, 1, 1, 1));
  await new Promise((resolve) => setTimeout(resolve, 100));
  let chunks = 0;
  for (let got = 0; got < 10_000; chunks++) got += (await streams[0]!.read())!.length;
  assert.ok(chunks <= 4, `${chunks} chunks`);
});

const breaches: [string, Uint8Array[]][] = [
  ["more data than credit", [header(FrameType.data, Flag.syn, 1, INITIAL_WINDOW + 1)]],
  ["a stream opened twice", [header(FrameType.windowUpdate, Flag.syn, 1, 0), header(FrameType.windowUpdate, Flag.syn, 1, 0)]],
  ["a stream id of our own parity", [header(FrameType.windowUpdate, Flag.syn, 2, 0)]],
  ["stream id 0", [header(FrameType.data, Flag.syn, 0, 0)]],
  ["data after its end", [header(FrameType.data, Flag.syn | Flag.fin, 1, 0), header(FrameType.data, 0, 1, 1, 1)]],
  ["credit beyond 32 bits", [header(FrameType.windowUpdate, Flag.syn, 1, 0), header(FrameType.windowUpdate, 0, 1, 0xffffffff)]],
  ["a type that does not exist", [header(9, 0, 0, 0)]],
];
for (const [name, frames] of breaches) {
  Deno.test(`a protocol error ends the session with a typed error and go-away: ${name}`, async () => {
    const { wire, ends } = victim();
    const last: Uint8Array[] = [];
    wire.onmessage = (message) => last.push(message);
    for (const frame of frames) wire.send(frame);
    await settle();
    assert.ok(ends[0]?.error instanceof ProtocolError, String(ends[0]?.error));
    const goAway = last.at(-1)!.subarray(-HEADER_BYTES);
    assert.deepEqual([goAway[1], goAway[11]], [FrameType.goAway, 1]);
  });
}

Deno.test("a peer that keeps asking and reads no answer is cut off before it fills our memory", async () => {
  const { wire, ends } = victim();
  const flood = new Uint8Array(HEADER_BYTES * 5_000);
  for (let at = 0; at < flood.length; at += HEADER_BYTES) writeHeader(flood, at, FrameType.ping, Flag.syn, 0, at);
  // The direction of the answers stands still; that of the questions goes on.
  wire.peer?.hold();
  for (let i = 0; i < 200 && ends.length === 0; i++) {
    wire.send(flood.slice());
    await Promise.resolve();
    await settle();
  }
  assert.ok(ends[0]?.error instanceof ProtocolError, "it should have been cut off");
});
