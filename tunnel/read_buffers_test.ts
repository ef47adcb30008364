import assert from "node:assert/strict";
import { HEADER_BYTES } from "./frame.ts";
import { filled, giveBack, READ_BYTES, takeReadBuffer, withHeader } from "./read_buffers.ts";

Deno.test("a buffer is reused once a whole read was sent, with its frame's header or without", () => {
  for (const sent of [(bytes: Uint8Array) => bytes, (bytes: Uint8Array) => withHeader(bytes) as Uint8Array]) {
    const buffer = takeReadBuffer();
    assert.equal(buffer.length, READ_BYTES);
    giveBack(sent(filled(buffer, 40_000)));
    assert.equal(takeReadBuffer().buffer, buffer.buffer);
  }
});

Deno.test("a buffer is not reused while a part of its read may be under way, and giving it back twice does nothing", () => {
  const buffer = takeReadBuffer();
  const bytes = filled(buffer, READ_BYTES);
  giveBack(bytes.subarray(0, 30_000));
  giveBack(bytes.subarray(30_000));
  assert.notEqual(takeReadBuffer().buffer, buffer.buffer);
  giveBack(bytes);
  giveBack(bytes);
  const [one, other] = [takeReadBuffer(), takeReadBuffer()];
  assert.equal(one.buffer, buffer.buffer);
  assert.notEqual(other.buffer, buffer.buffer);
});

Deno.test("only a whole read has room for a header", () => {
  const bytes = filled(takeReadBuffer(), 20_000);
  bytes[0] = 7;
  const message = withHeader(bytes) as Uint8Array;
  assert.equal(message.length, HEADER_BYTES + 20_000);
  assert.equal(message[HEADER_BYTES], 7);
  assert.equal(withHeader(bytes.subarray(1)), undefined);
  assert.equal(withHeader(new Uint8Array(20_000)), undefined);
});
