import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { HEADER_BYTES } from "../frame.ts";
import { HEADROOM_BYTES, READ_BYTES } from "../read_buffers.ts";
import { applyMask, decodeClose, encodeClose, frameHeaderBytes, isCloseCode, Opcode, WebSocketError, writeFrameHeader } from "./frame.ts";

function header(opcode: number, length: number, mask?: number): number[] {
  const bytes = new Uint8Array(frameHeaderBytes(length, mask !== undefined));
  assert.equal(writeFrameHeader(bytes, 0, opcode, length, mask), bytes.length);
  return [...bytes];
}

Deno.test("a header has the shortest length that fits, and a client's the masking key", () => {
  assert.deepEqual(header(Opcode.binary, 0), [0x82, 0]);
  assert.deepEqual(header(Opcode.binary, 125), [0x82, 125]);
  assert.deepEqual(header(Opcode.binary, 126), [0x82, 126, 0, 126]);
  assert.deepEqual(header(Opcode.binary, 65_535), [0x82, 126, 0xff, 0xff]);
  assert.deepEqual(header(Opcode.binary, 65_536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
  assert.deepEqual(header(Opcode.binary, 2 ** 40 + 5), [0x82, 127, 0, 0, 1, 0, 0, 0, 0, 5]);
  assert.deepEqual(header(Opcode.ping, 3, 0xa1b2c3d4), [0x89, 0x83, 0xa1, 0xb2, 0xc3, 0xd4]);
});

Deno.test("a mask is the same however a payload is split and wherever it lies in its buffer", () => {
  const random = new SeededRandom(7);
  for (let round = 0; round < 300; round++) {
    const length = random.below(70);
    const mask = Math.floor(random.next() * 2 ** 32);
    const key = [mask >>> 24, mask >>> 16, mask >>> 8, mask].map((byte) => byte & 0xff);
    const payload = Uint8Array.from({ length }, () => random.below(256));
    const wanted = payload.map((byte, at) => byte ^ (key[at % 4] as number));
    const bytes = new Uint8Array(length + 8).subarray(random.below(8)).subarray(0, length);
    bytes.set(payload);
    for (let at = 0; at < length;) {
      const size = 1 + random.below(length - at);
      applyMask(bytes.subarray(at, at + size), mask, at);
      at += size;
    }
    assert.deepEqual([...bytes], [...wanted]);
  }
});

Deno.test("a close frame carries its code and reason, or neither", () => {
  assert.deepEqual(decodeClose(encodeClose(4001, "replaced by größer")), { code: 4001, reason: "replaced by größer" });
  assert.deepEqual(decodeClose(new Uint8Array(0)), { code: 1005, reason: "" });
});

Deno.test("a close frame with an invalid code is a breach, and with a reason that is not UTF-8 too", () => {
  const breach = (payload: number[], code: number) =>
    assert.throws(() => decodeClose(new Uint8Array(payload)), (error) => error instanceof WebSocketError && error.code === code);
  breach([3], 1002);
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) breach([code >> 8, code & 0xff], 1002);
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
    assert.ok(isCloseCode(code));
  }
  for (const text of [[0xce], [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80]]) {
    breach([3, 0xe8, ...text], 1007);
  }
});

Deno.test("a full read with both headers fits into four TLS records, and its headers into the headroom", () => {
  const frame = HEADER_BYTES + READ_BYTES;
  assert.ok(frameHeaderBytes(frame, true) + frame <= 4 * 16_384);
  assert.ok(frameHeaderBytes(frame, true) + HEADER_BYTES <= HEADROOM_BYTES);
});
