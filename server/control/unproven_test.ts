import assert from "node:assert/strict";
import { Unproven } from "./unproven.ts";

class Peer {
  destroyed = false;
  #closed = () => {};
  constructor(readonly remoteAddress: string, readonly remotePort: number) {}
  once(_event: "close", listener: () => void): void {
    this.#closed = listener;
  }
  destroy(): void {
    this.destroyed = true;
    this.#closed();
  }
}

Deno.test("of too many unproven connections the address with the most loses its oldest, and no other address loses any", () => {
  const unproven = new Unproven();
  const client = new Peer("10.0.0.1", 1);
  unproven.add(client);
  const flood = Array.from({ length: 1_000 }, (_, i) => new Peer("10.0.0.2", i));
  for (const peer of flood) unproven.add(peer);
  assert.equal(client.destroyed, false);
  assert.deepEqual(flood.map(({ destroyed }) => destroyed), flood.map((_, i) => i < 985));
  for (const peer of flood) peer.destroy();
  client.destroy();
});

Deno.test("a peer is not cut once it has proven itself", () => {
  const unproven = new Unproven();
  const client = new Peer("10.0.0.1", 1);
  unproven.add(client);
  unproven.delete({ remoteAddress: "10.0.0.1", remotePort: 1 });
  const others = Array.from({ length: 100 }, (_, i) => new Peer("10.0.0.1", 2 + i));
  for (const peer of others) unproven.add(peer);
  assert.equal(client.destroyed, false);
  for (const peer of others) peer.destroy();
});
