import assert from "node:assert/strict";
import { ProtocolError } from "./errors.ts";
import { Flag, FrameDecoder, FrameType, HEADER_BYTES, writeHeader } from "./frame.ts";

/** Everything that a decoder finds, as text. */
function decode(pieces: Uint8Array[]): string[] {
  const found: string[] = [];
  let payload: number[] = [];
  const decoder = new FrameDecoder({
    header: (h) => found.push(`${h.type}/${h.flags}/${h.streamId}/${h.length}`),
    payload: (part, last) => {
      payload.push(...part);
      if (last) found.push(`[${payload}]`);
      if (last) payload = [];
    },
  });
  for (const piece of pieces) decoder.push(piece);
  return found;
}

function frame(type: number, flags: number, id: number, length: number, payload: number[] = []): number[] {
  const header = new Uint8Array(HEADER_BYTES);
  writeHeader(header, 0, type, flags, id, length);
  return [...header, ...payload];
}

Deno.test("a header is version, type, flags, stream id and length, big endian", () => {
  assert.deepEqual(frame(FrameType.windowUpdate, Flag.syn | Flag.rst, 0x01020304, 0xa0b0c0d0), [
    0,
    1,
    0,
    9,
    1,
    2,
    3,
    4,
    0xa0,
    0xb0,
    0xc0,
    0xd0,
  ]);
});

Deno.test("the same frames are found however the bytes are split", () => {
  const bytes = new Uint8Array([
    ...frame(FrameType.data, Flag.syn, 1, 5, [1, 2, 3, 4, 5]),
    ...frame(FrameType.ping, Flag.syn, 0, 0xffffffff),
    ...frame(FrameType.data, Flag.fin, 1, 0),
    ...frame(FrameType.data, 0, 3, 1, [9]),
  ]);
  const whole = decode([bytes]);
  assert.deepEqual(whole, ["0/1/1/5", "[1,2,3,4,5]", "2/1/0/4294967295", "0/4/1/0", "0/0/3/1", "[9]"]);
  for (let at = 0; at <= bytes.length; at++) assert.deepEqual(decode([bytes.subarray(0, at), bytes.subarray(at)]), whole);
  assert.deepEqual(decode([...bytes].map((byte) => new Uint8Array([byte]))), whole);
});

Deno.test("a payload is passed on as views of what arrived, without waiting for the rest", () => {
  const parts: number[] = [];
  const decoder = new FrameDecoder({ header: () => {}, payload: (part) => parts.push(part.length) });
  decoder.push(new Uint8Array(frame(FrameType.data, 0, 1, 10, [1, 2, 3])));
  assert.deepEqual(parts, [3]);
});

Deno.test("a version or type that does not exist is a protocol error", () => {
  assert.throws(() => decode([new Uint8Array([1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])]), ProtocolError);
  assert.throws(() => decode([new Uint8Array(frame(4, 0, 1, 0))]), ProtocolError);
});
