import assert from "node:assert/strict";
import { Unproven } from "./unproven.ts";

/** Adds a connection that notes whether it was closed. */
function add(unproven: Unproven, address: string): { closed: boolean; gone: () => void } {
  const peer = { closed: false, gone: () => {} };
  peer.gone = unproven.add(address, () => peer.closed = true);
  return peer;
}

Deno.test("of too many unproven connections the address with the most loses its oldest, and no other address loses any", () => {
  const unproven = new Unproven(16, 5_000);
  const client = add(unproven, "10.0.0.1");
  const flood = Array.from({ length: 1_000 }, () => add(unproven, "10.0.0.2"));
  assert.equal(client.closed, false);
  assert.deepEqual(flood.map(({ closed }) => closed), flood.map((_, i) => i < 985));
  for (const { gone } of [client, ...flood]) gone();
});

Deno.test("a peer is not cut once it has proven itself", () => {
  const unproven = new Unproven(16, 5_000);
  const client = add(unproven, "10.0.0.1");
  client.gone();
  const others = Array.from({ length: 100 }, () => add(unproven, "10.0.0.1"));
  assert.equal(client.closed, false);
  for (const { gone } of others) gone();
});
