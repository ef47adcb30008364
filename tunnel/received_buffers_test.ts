import assert from "node:assert/strict";
import { HEADER_BYTES } from "./frame.ts";
import { NativeConnection } from "./native_connection.ts";
import { freeReceived, noteReceived } from "./received_buffers.ts";

/** A message of one frame, and the frame's payload. */
function message(payloadBytes: number): { whole: Uint8Array; payload: Uint8Array } {
  const whole = new Uint8Array(HEADER_BYTES + payloadBytes).fill(1);
  return { whole, payload: whole.subarray(HEADER_BYTES) };
}

Deno.test("a large message is freed as soon as its last byte was written to a socket", async () => {
  const { whole, payload } = message(64 * 1024);
  noteReceived(whole);
  let taken = 0;
  const socket = {
    read: () => Promise.resolve(null),
    // Like a socket whose buffer is nearly full.
    write: (bytes: Uint8Array) => {
      assert.equal(whole.length, HEADER_BYTES + 64 * 1024);
      const size = Math.min(bytes.length, 10_000);
      taken += bytes.subarray(0, size).reduce((sum, byte) => sum + byte, 0);
      return Promise.resolve(size);
    },
    closeWrite: () => Promise.resolve(),
    close: () => {},
  };
  await new NativeConnection(socket).write(payload);
  assert.equal(taken, 64 * 1024);
  assert.equal(whole.length, 0);
});

Deno.test("nothing is freed that may still be used: a part of a frame, a message in a larger buffer, what was never received, small messages", () => {
  const partly = message(64 * 1024);
  noteReceived(partly.whole);
  freeReceived(partly.payload.subarray(0, 60_000));
  freeReceived(partly.payload.subarray(1));
  assert.equal(partly.whole.length, HEADER_BYTES + 64 * 1024);

  const shared = new Uint8Array(200_000);
  noteReceived(shared.subarray(0, HEADER_BYTES + 64 * 1024));
  freeReceived(shared.subarray(HEADER_BYTES));
  assert.equal(shared.length, 200_000);

  const sent = message(64 * 1024);
  freeReceived(sent.payload);
  assert.equal(sent.whole.length, HEADER_BYTES + 64 * 1024);

  const small = message(1_000);
  noteReceived(small.whole);
  freeReceived(small.payload);
  assert.equal(small.whole.length, HEADER_BYTES + 1_000);
});
