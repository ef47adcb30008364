import assert from "node:assert/strict";
import { relay } from "./connection.ts";
import { NativeConnection } from "./native_connection.ts";

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
  assert.equal(await near.read(), null);
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
