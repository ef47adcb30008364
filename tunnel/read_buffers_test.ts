import assert from "node:assert/strict";
import { HEADER_BYTES } from "./frame.ts";
import { filled, giveBack, READ_BYTES, takeReadBuffer, withHeader } from "./read_buffers.ts";

Deno.test("a buffer is used again once the whole of a read was sent, with its frame's header or without", () => {
  for (const sent of [(bytes: Uint8Array) => bytes, (bytes: Uint8Array) => withHeader(bytes) as Uint8Array]) {
    const buffer = takeReadBuffer();
    assert.equal(buffer.length, READ_BYTES);
    giveBack(sent(filled(buffer, 40_000)));
    assert.equal(takeReadBuffer().buffer, buffer.buffer);
  }
});

Deno.test("while a part of a read may be under way its buffer is not used again, and a second giving back gives nothing", () => {
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

Deno.test("room for a header is there before a whole read alone", () => {
  const bytes = filled(takeReadBuffer(), 20_000);
  bytes[0] = 7;
  const message = withHeader(bytes) as Uint8Array;
  assert.equal(message.length, HEADER_BYTES + 20_000);
  assert.equal(message[HEADER_BYTES], 7);
  assert.equal(withHeader(bytes.subarray(1)), undefined);
  assert.equal(withHeader(new Uint8Array(20_000)), undefined);
});
