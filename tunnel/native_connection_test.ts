import assert from "node:assert/strict";
import { relay } from "./connection.ts";
import { NativeConnection, type NativeSocket } from "./native_connection.ts";

/** Both ends of a connection on loopback. */
async function pair(): Promise<[NativeConnection, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const far = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  return [new NativeConnection(await listener.accept()), far];
}

const text = (bytes: Uint8Array | null) => bytes && new TextDecoder().decode(bytes);
const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("small pieces are taken one by one, each after what the one before waits for; the read returns what is not taken", async () => {
  const [near, far] = await pair();
  const seen: (string | null)[] = [];
  const go = Promise.withResolvers<void>();
  const reading = near.readSmall((piece) => {
    seen.push(text(piece));
    return seen.length === 1 ? go.promise : seen.length === 2 ? undefined : false;
  });
  // A second reader gets the same.
  const second = near.read();
  await far.write(bytes("one"));
  while (seen.length < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  await far.write(bytes("two"));
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(seen, ["one"]);
  go.resolve();
  while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  await far.write(bytes("three"));
  assert.deepEqual([text(await reading), text(await second), seen], ["three", "three", ["one", "two", "three"]]);
  await far.write(bytes("four"));
  await assert.rejects(
    near.readSmall(() => {
      throw new Error("taker broke");
    }),
    /taker broke/,
  );
  far.close();
  near.reset();
});

Deno.test("small bytes that were written last arrive before the end, and a failure is the next writer's", async () => {
  const [near, far] = await pair();
  for (let i = 0; i < 100; i++) await near.writeSmall(bytes(`${i} `));
  near.closeWrite();
  let all = "";
  const buffer = new Uint8Array(4096);
  for (let size = await far.read(buffer); size !== null; size = await far.read(buffer)) all += text(buffer.subarray(0, size));
  assert.equal(all, Array.from({ length: 100 }, (_, i) => `${i} `).join(""));
  await assert.rejects(async () => {
    for (;;) await near.writeSmall(bytes("late"));
  });
  far.close();
  await assert.rejects(near.read());
});

/** A socket whose writes are sent when the test says so. */
class HeldSocket implements NativeSocket {
  readonly sent: number[] = [];
  readonly #held: PromiseWithResolvers<void>[] = [];
  ended = Promise.withResolvers<null>();
  closed = false;

  async write(bytes: Uint8Array): Promise<number> {
    const held = Promise.withResolvers<void>();
    this.#held.push(held);
    await held.promise;
    this.sent.push(...bytes);
    return bytes.length;
  }

  async settle(error?: Error): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    const held = this.#held.shift();
    if (error) held?.reject(error);
    else held?.resolve();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  /** Acts so many microtasks after the first write was sent. */
  async afterFirst(microtasks: number, act: () => unknown): Promise<void> {
    await this.#held[0]?.promise;
    while (microtasks-- > 0) await null;
    await act();
  }

  read(): Promise<null> {
    return this.ended.promise;
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
  }
}

Deno.test("bytes that are written while others wait are sent behind all of them, whenever the others continue", async () => {
  for (let rounds = 0; rounds < 10; rounds++) {
    const socket = new HeldSocket();
    const near = new NativeConnection(socket);
    near.writeSmall(new Uint8Array([1]));
    const second = near.write(new Uint8Array([2]));
    const third = socket.afterFirst(rounds, () => near.writeSmall(new Uint8Array([3])));
    for (let write = 0; write < 3; write++) await socket.settle();
    await Promise.all([second, third]);
    assert.deepEqual(socket.sent, [1, 2, 3], `${rounds} microtasks after the first`);
  }
});

Deno.test("a reset that a write meets first is no clean end for the reader", async () => {
  const socket = new HeldSocket();
  const near = new NativeConnection(socket);
  const reading = near.read();
  near.writeSmall(new Uint8Array([1]));
  await socket.settle(new Error("Broken pipe"));
  socket.ended.resolve(null);
  await assert.rejects(reading, /Broken pipe/);
});

Deno.test("a write that throws at once does not keep its direction from ending", async () => {
  const ended = Promise.withResolvers<void>();
  const socket: NativeSocket = {
    read: () => new Promise(() => {}),
    write: () => {
      throw new Error("broken");
    },
    closeWrite: () => Promise.resolve(ended.resolve()),
    close: () => {},
  };
  const connection = new NativeConnection(socket);
  await assert.rejects(connection.write(bytes("lost")), /broken/);
  connection.closeWrite();
  await ended.promise;
});

Deno.test("a connection is gone only when what was written last has been sent", async () => {
  const socket = new HeldSocket();
  const near = new NativeConnection(socket);
  near.writeSmall(new Uint8Array([1]));
  near.closeWrite();
  socket.ended.resolve(null);
  assert.equal(await near.read(), null);
  const gone = near.gone.then(() => "gone");
  assert.equal(await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, 10, "sending"))]), "sending");
  assert.ok(!socket.closed);
  await socket.settle();
  assert.equal(await gone, "gone");
  assert.ok(socket.closed);
});

Deno.test("a relay joins small and large pieces in order, and half-closes", async () => {
  const [a, farA] = await pair();
  const [b, farB] = await pair();
  const watched = { forth: 0, back: 0 };
  const relayed = relay(a, b, undefined, { forth: (piece) => void (watched.forth += piece?.length ?? 0), back: () => {} });
  const sizes = [1, 100, 5_000, 200_000, 3, 4_096, 16_384, 2];
  const sent = new Uint8Array(sizes.reduce((sum, size) => sum + size)).map((_, i) => i * 7 + (i >> 8));
  const write = async () => {
    let at = 0;
    for (const size of sizes) {
      const end = at + size;
      while (at < end) at += await farA.write(sent.subarray(at, end));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await farA.closeWrite();
  };
  const received = new Uint8Array(sent.length + 1);
  const read = async () => {
    let at = 0;
    for (let size = await farB.read(received); size !== null; size = await farB.read(received.subarray(at))) at += size;
    await farB.closeWrite();
    return at;
  };
  assert.equal((await Promise.all([read(), write()]))[0], sent.length);
  assert.deepEqual(received.subarray(0, sent.length), sent);
  assert.deepEqual([await relayed, watched.forth], [{ forth: sent.length, back: 0 }, sent.length]);
  farA.close();
  farB.close();
});
