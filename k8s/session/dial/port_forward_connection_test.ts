import assert from "node:assert/strict";
import { SeededRandom } from "../../../tests/seeded_random.ts";
import { Opcode, writeFrameHeader } from "../../../tunnel/web_socket/frame.ts";
import { FrameReader } from "../../../tunnel/web_socket/frame_reader.ts";
import { PortForwardConnection } from "./port_forward_connection.ts";

function frame(opcode: number, payload: readonly number[], last = true): number[] {
  const header = new Uint8Array(14);
  const size = writeFrameHeader(header, 0, opcode, payload.length, undefined);
  if (!last) header[0]! &= 0x7f;
  return [...header.subarray(0, size), ...payload];
}

/** A connection below whose reads return these pieces, and what was written to it. */
function below(pieces: Uint8Array[]) {
  const written: number[] = [];
  const write = async (bytes: Uint8Array) => {
    // Half of it later, as a full socket takes it.
    written.push(...bytes.subarray(0, bytes.length >> 1));
    await Promise.resolve();
    written.push(...bytes.subarray(bytes.length >> 1));
  };
  return { written, connection: { read: () => Promise.resolve(pieces.shift() ?? null), write, closeWrite: () => {}, reset: () => {} } };
}

Deno.test("data of channel 0 is read whatever the messages, fragments and pieces, and written frames never mix with pongs", async () => {
  const random = new SeededRandom(14);
  for (let round = 0; round < 200; round++) {
    const expected: number[] = [];
    const bytes = [...frame(Opcode.binary, [0, 1, 2]), ...frame(Opcode.binary, [1, 1, 2])];
    for (let message = random.below(6); message >= 0; message--) {
      const data = Array.from({ length: random.below(300) }, () => random.below(256));
      const cut = random.below(data.length + 1);
      expected.push(...data);
      if (random.chance(0.3)) bytes.push(...frame(Opcode.ping, [random.below(256)]));
      if (random.chance(0.5)) bytes.push(...frame(Opcode.binary, [0, ...data]));
      else bytes.push(...frame(Opcode.binary, [0, ...data.slice(0, cut)], false), ...frame(Opcode.continuation, data.slice(cut)));
    }
    bytes.push(...frame(Opcode.close, [3, 232]));
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) pieces.push(new Uint8Array(bytes.slice(at, at += 1 + random.below(400))));
    const { written, connection } = below(pieces);
    const forwarded = new PortForwardConnection(connection, () => random.below(2 ** 31));
    const got: number[] = [];
    const sent = [];
    for (let chunk; (chunk = await forwarded.read()) !== null;) {
      got.push(...chunk);
      sent.push(forwarded.write(new Uint8Array([7, 8, 9])));
    }
    await Promise.all(sent);
    assert.deepEqual(got, expected);
    let messages = 0;
    const message = (part: Uint8Array) => (messages++, assert.deepEqual([...part], [0, 7, 8, 9]));
    new FrameReader({ message, ping: () => {}, pong: () => {}, close: () => {} }, true, { messageBytes: 100, fragments: 1 })
      .push(new Uint8Array(written));
    assert.equal(messages, sent.length);
  }
});
