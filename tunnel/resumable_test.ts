import assert from "node:assert/strict";
import { ResendBuffer, ResumableReceiver, type ResumableSink, sendResumable } from "./resumable.ts";
import { memoryTransportPair } from "../tests/memory_transport.ts";
import { Session } from "./session.ts";
import type { Stream } from "./stream.ts";

/** Both ends of a stream between two sessions, and a function that breaks the connection that carries it. */
async function streamPair(): Promise<{ here: Stream; there: Stream; cut: () => void }> {
  const [a, b] = memoryTransportPair();
  const now = () => performance.now();
  const { promise, resolve } = Promise.withResolvers<Stream>();
  const client = new Session(a, { role: "client", now });
  const server = new Session(b, { role: "server", now, onStream: resolve });
  const here = client.open(new Uint8Array());
  const cut = () => {
    client.destroy(new Error("cut"));
    server.destroy(new Error("cut"));
  };
  return { here, there: await promise, cut };
}

class Gathered implements ResumableSink {
  readonly bytes: number[] = [];
  ended = false;

  get offset(): number {
    return this.bytes.length;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (const byte of bytes) this.bytes.push(byte);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  end(): void {
    this.ended = true;
  }
}

const EMPTY = new Uint8Array();

Deno.test("bytes cross lost connections whole: none twice, none missing", async () => {
  const buffer = new ResendBuffer(100_000);
  const sink = new Gathered();
  const receiver = new ResumableReceiver(sink);
  const sent: number[] = [];
  const writing = (async () => {
    for (let i = 0; i < 400; i++) {
      const piece = new Uint8Array(1 + (i * 37) % 3000).fill(i);
      sent.push(...piece);
      await buffer.write(piece);
    }
    buffer.end();
  })();
  let connections = 0;
  while (!sink.ended) {
    const { here, there, cut } = await streamPair();
    const end = Promise.all([sendResumable(there, buffer, EMPTY), receiver.receive(here, EMPTY)]);
    // Each connection is lost after a while, at any point.
    const timer = setTimeout(cut, connections++ % 5);
    await end.catch(() => {});
    clearTimeout(timer);
    assert.ok(sink.bytes.length <= sent.length, "bytes arrived twice");
  }
  await writing;
  assert.ok(connections > 1, "nothing was cut");
  assert.deepEqual(sink.bytes, sent);
});

Deno.test("a writer waits while the buffer is full, and continues when bytes were taken", async () => {
  const buffer = new ResendBuffer(10);
  assert.equal(buffer.write(new Uint8Array(9)), undefined);
  let room = false;
  const full = Promise.resolve(buffer.write(new Uint8Array(9))).then(() => room = true);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(room, false);
  buffer.taken(9);
  await full;
});

Deno.test("small pieces are gathered, and come out unchanged", async () => {
  const buffer = new ResendBuffer(1_000_000);
  const all: number[] = [];
  for (let i = 0; i < 5000; i++) {
    buffer.write(new Uint8Array([i, i >> 8]));
    all.push(i & 255, (i >> 8) & 255);
    if (i === 2000) buffer.taken(1001);
  }
  buffer.end();
  const found: number[] = [];
  let reads = 0;
  for (let bytes = await buffer.read(1001); bytes !== null; bytes = await buffer.read(1001 + found.length)) {
    found.push(...bytes);
    reads++;
  }
  assert.deepEqual(found, all.slice(1001));
  assert.ok(reads < 5, `${reads} reads`);
});

Deno.test("a receiver that confirms what was never sent breaks the protocol", async () => {
  const buffer = new ResendBuffer(10);
  buffer.write(new Uint8Array(3));
  const { here, there } = await streamPair();
  here.write(new Uint8Array([0, 0, 0, 0, 0, 0, 0, 4]));
  await assert.rejects(sendResumable(there, buffer, EMPTY), /4 bytes were taken of 3/);
});

Deno.test("the sender is done when everything was taken, not when everything was sent", async () => {
  const buffer = new ResendBuffer(10);
  buffer.write(new Uint8Array([1, 2, 3]));
  buffer.end();
  const { here, there } = await streamPair();
  const slow = Promise.withResolvers<void>();
  const sink = { offset: 0, write: () => slow.promise, end: () => {} };
  let done = false;
  const sending = sendResumable(there, buffer, EMPTY).then(() => done = true);
  const receiving = new ResumableReceiver(sink).receive(here, EMPTY);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(done, false);
  sink.offset = 3;
  slow.resolve();
  await Promise.all([sending, receiving]);
});

/** Carries 200,000 lines over one stream, one at a time, and measures the memory that stays in use. */
const MANY_LINES = `
  import { memoryTransportPair } from ${JSON.stringify(new URL("../tests/memory_transport.ts", import.meta.url).href)};
  import { ResendBuffer, ResumableReceiver, sendResumable } from ${JSON.stringify(new URL("./resumable.ts", import.meta.url).href)};
  import { Session } from ${JSON.stringify(new URL("./session.ts", import.meta.url).href)};
  const [a, b] = memoryTransportPair();
  const now = () => performance.now();
  const opened = Promise.withResolvers();
  new Session(b, { role: "server", now, onStream: opened.resolve });
  const here = new Session(a, { role: "client", now }).open(new Uint8Array());
  const buffer = new ResendBuffer(1_000_000);
  const sink = { offset: 0, write: (bytes) => void (sink.offset += bytes.length), end: () => {} };
  const done = Promise.all([sendResumable(await opened.promise, buffer, new Uint8Array()), new ResumableReceiver(sink).receive(here, new Uint8Array())]);
  const used = () => (gc(), Deno.memoryUsage().heapUsed);
  const before = used();
  for (let i = 0; i < 200_000; i++) {
    await buffer.write(new Uint8Array(50));
    while (sink.offset < buffer.written) await null;
  }
  const kept = used() - before;
  buffer.end();
  await done;
  console.log(sink.offset, kept);
`;

Deno.test("200,000 small pieces over one stream leave nothing behind in memory", async () => {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--v8-flags=--max-old-space-size=48,--expose-gc", MANY_LINES],
    env: { NO_COLOR: "1" },
  }).output();
  const [bytes, kept] = new TextDecoder().decode(stdout).split(" ").map(Number);
  assert.equal(bytes, 10_000_000, new TextDecoder().decode(stderr));
  assert.ok(kept !== undefined && kept < 5_000_000, `${kept} bytes were kept`);
});
