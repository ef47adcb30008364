import assert from "node:assert/strict";
import { adopt, hasHeadroom, HEADROOM_BYTES, keep, READ_BYTES, release, takeReadBuffer, withRoomBefore } from "./read_buffers.ts";

Deno.test("a buffer is used again once all its bytes are released, in whatever parts", () => {
  const buffer = takeReadBuffer();
  assert.equal(buffer.length, READ_BYTES);
  release(buffer.subarray(40_000));
  release(buffer.subarray(0, 30_000));
  assert.notEqual(takeReadBuffer().buffer, buffer.buffer);
  release(buffer.subarray(30_000, 40_000));
  assert.equal(takeReadBuffer().buffer, buffer.buffer);
});

Deno.test("a large part that is kept outlasts the whole, and a small one is copied, so that it keeps no buffer", () => {
  const buffer = takeReadBuffer();
  const large = keep(buffer.subarray(0, 20_000));
  const small = keep(buffer.subarray(20_000, 20_100));
  assert.equal(large.buffer, buffer.buffer);
  assert.notEqual(small.buffer, buffer.buffer);
  release(small);
  release(buffer);
  assert.notEqual(takeReadBuffer().buffer, buffer.buffer);
  release(large);
  assert.equal(takeReadBuffer().buffer, buffer.buffer);
  const foreign = new Uint8Array(20_000);
  assert.equal(keep(foreign), foreign);
});

Deno.test("there is headroom before the first bytes of a read alone, and it is released with them", () => {
  const buffer = takeReadBuffer();
  assert.equal(buffer.byteOffset, HEADROOM_BYTES);
  assert.ok(hasHeadroom(buffer.subarray(0, 10)));
  assert.ok(!hasHeadroom(buffer.subarray(1)));
  assert.ok(!hasHeadroom(new Uint8Array(new ArrayBuffer(HEADROOM_BYTES + READ_BYTES), HEADROOM_BYTES)));
  const frame = withRoomBefore(buffer, 12);
  assert.deepEqual([frame.byteOffset, frame.length], [HEADROOM_BYTES - 12, READ_BYTES + 12]);
  release(buffer);
  assert.notEqual(takeReadBuffer().buffer, buffer.buffer);
  release(frame.subarray(0, 12));
  assert.equal(takeReadBuffer().buffer, buffer.buffer);
});

Deno.test("memory that the runtime allocated is freed as soon as its bytes are released, and not before", () => {
  const bytes = new Uint8Array(30_000).fill(1);
  adopt(bytes);
  release(bytes.subarray(20_000));
  assert.equal(bytes[0], 1);
  release(bytes.subarray(0, 20_000));
  assert.equal(bytes.buffer.byteLength, 0);
  const small = new Uint8Array(100);
  adopt(small);
  release(small);
  assert.equal(small.buffer.byteLength, 100);
});
