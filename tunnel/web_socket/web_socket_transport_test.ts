import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import type { Connection } from "../connection.ts";
import { READ_BYTES, release, takeReadBuffer } from "../read_buffers.ts";
import { Session } from "../session.ts";
import type { Stream } from "../stream.ts";
import { WebSocketTransport } from "./web_socket_transport.ts";

const LIMITS = { messageBytes: 256 * 1024, fragments: 16 };

/** One end of a connection in memory that splits bytes anywhere, and overwrites what is released, as a read that reuses the buffer does. */
class MemoryConnection implements Connection {
  peer: MemoryConnection | undefined;
  #waiting: Uint8Array[] = [];
  #reader: ((bytes: Uint8Array | null) => void) | undefined;
  #closed = false;

  constructor(readonly random: SeededRandom) {}

  read(): Promise<Uint8Array | null> {
    const spoiled = takeReadBuffer();
    spoiled.fill(0xee);
    release(spoiled);
    const bytes = this.#waiting.shift();
    if (bytes || this.#closed) return Promise.resolve(bytes ?? null);
    return new Promise((resolve) => this.#reader = resolve);
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#closed) throw new Error("closed");
    for (let at = 0; at < bytes.length;) {
      const size = Math.min(bytes.length - at, this.random.pick([1, 2, 13, 100, 20_000, READ_BYTES]));
      this.peer?.deliver(bytes.subarray(at, at + size));
      at += size;
      if (this.random.chance(0.1)) await new Promise((resolve) => setTimeout(resolve));
      else await Promise.resolve();
    }
    release(bytes);
  }

  deliver(bytes: Uint8Array): void {
    const buffer = takeReadBuffer();
    buffer.set(bytes);
    release(buffer.subarray(bytes.length));
    this.#waiting.push(buffer.subarray(0, bytes.length));
    this.#wake();
  }

  closeWrite(): void {
    this.reset();
  }

  reset(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake();
    queueMicrotask(() => this.peer?.reset());
  }

  #wake(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.(this.#waiting.shift() ?? null);
  }
}

function pair(random: SeededRandom, maskingKey?: () => number): [WebSocketTransport, WebSocketTransport] {
  const [a, b] = [new MemoryConnection(random), new MemoryConnection(random)];
  a.peer = b;
  b.peer = a;
  return [
    new WebSocketTransport(a, { role: "client", limits: LIMITS, ...(maskingKey ? { maskingKey } : {}) }),
    new WebSocketTransport(b, { role: "server", limits: LIMITS }),
  ];
}

for (const [name, key] of [["random masks", undefined], ["masks of zeros", () => 0]] as const) {
  Deno.test(`streams of every size get their bytes back over a WebSocket, with ${name}`, async () => {
    const random = new SeededRandom(11);
    const [near, far] = pair(random, key);
    const now = () => performance.now();
    const echo = async (stream: Stream) => {
      for (let bytes = await stream.read(); bytes !== null; bytes = await stream.read()) await stream.write(bytes.slice());
      stream.closeWrite();
    };
    const client = new Session(near, { role: "client", now });
    new Session(far, { role: "server", now, onStream: (stream) => void echo(stream) });
    await Promise.all(Array.from({ length: 60 }, async (_, i) => {
      const sent = Uint8Array.from({ length: [0, 1, 300, 5_000, 70_000, 300_000][i % 6] as number }, (_, at) => (at * 7 + i) & 0xff);
      const stream = client.open(new Uint8Array(0));
      const writing = (async () => {
        for (let at = 0; at < sent.length; at += 30_000) await stream.write(sent.slice(at, at + 30_000));
        stream.closeWrite();
      })();
      const got: Uint8Array[] = [];
      for (let bytes = await stream.read(); bytes !== null; bytes = await stream.read()) got.push(bytes.slice());
      await writing;
      assert.deepEqual(new Uint8Array(await new Blob(got as BlobPart[]).arrayBuffer()), sent, `stream ${i}`);
    }));
    client.close(1000, "over");
  });
}
