/**
 * Our WebSocket frames (RFC 6455) against npm's `ws`, as the reference: what either makes of the same bytes, and the cases of the Autobahn
 * test suite that apply to binary messages. KURUN_FUZZ_SECONDS=3600 fuzzes longer than the two seconds of every day.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
// @ts-types="@types/ws"
import * as ws from "ws";
import { frameHeaderBytes, MAX_HEADER_BYTES, Opcode, WebSocketError, writeFrameHeader } from "../tunnel/web_socket/frame.ts";
import { FrameReader } from "../tunnel/web_socket/frame_reader.ts";
import { SeededRandom } from "./seeded_random.ts";

const SECONDS = Number(Deno.env.get("KURUN_FUZZ_SECONDS") ?? 2);
const ONE_SEED = Deno.env.get("KURUN_FUZZ_SEED");
const LIMITS = { messageBytes: 100_000, fragments: 1_000 };

/** What `ws` does not declare. */
interface ReferenceParts {
  readonly Receiver: new (options: object) => {
    on(event: string, listener: (...args: never[]) => void): void;
    write(bytes: Uint8Array, done?: (error?: Error) => void): void;
  };
  readonly Sender: { frame(data: Uint8Array, options: object): Uint8Array[] };
}
const { Receiver, Sender } = ws as unknown as ReferenceParts;

/** A message, ping, pong or close as text, or the code of the breach that ended it. */
type Found = string;

function hex(bytes: Uint8Array): string {
  return bytes.length > 40 ? `${bytes.length} bytes, ${digest(bytes)}` : Buffer.from(bytes).toString("hex");
}

function digest(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) >>> 0;
  return sum;
}

/** What our reader finds in these pieces. */
function read(pieces: readonly Uint8Array[], masked: boolean, limits = LIMITS): Found[] {
  const found: Found[] = [];
  let parts: number[] = [];
  const reader = new FrameReader(
    {
      message: (part, last) => {
        for (const byte of part) parts.push(byte);
        if (!last) return;
        found.push(`message ${hex(Uint8Array.from(parts))}`);
        parts = [];
      },
      ping: (payload) => found.push(`ping ${hex(payload)}`),
      pong: (payload) => found.push(`pong ${hex(payload)}`),
      close: (code, reason) => found.push(`close ${code} ${reason}`),
    },
    masked,
    limits,
  );
  try {
    for (const piece of pieces) reader.push(piece.slice());
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error;
    found.push(`breach ${error.code}`);
  }
  return found;
}

/** What the reference finds. */
async function readByReference(pieces: readonly Uint8Array[], masked: boolean): Promise<Found[]> {
  const found: Found[] = [];
  let over = false;
  const receiver = new Receiver({
    isServer: masked,
    maxPayload: LIMITS.messageBytes,
    maxFragments: LIMITS.fragments,
    allowSynchronousEvents: true,
  });
  receiver.on("message", (data: Uint8Array) => found.push(`message ${hex(data)}`));
  receiver.on("ping", (data: Uint8Array) => found.push(`ping ${hex(data)}`));
  receiver.on("pong", (data: Uint8Array) => found.push(`pong ${hex(data)}`));
  receiver.on("conclude", (code: number, reason: Uint8Array) => {
    over = true;
    found.push(`close ${code} ${Buffer.from(reason)}`);
  });
  receiver.on("error", (error: object) => {
    if (!over) found.push(`breach ${Object.getOwnPropertySymbols(error).map((key) => (error as Record<symbol, unknown>)[key])[0]}`);
    over = true;
  });
  for (const piece of pieces) {
    if (over) break;
    await new Promise<void>((resolve) => receiver.write(Buffer.from(piece), () => resolve()));
  }
  return found;
}

interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Uint8Array;
  readonly mask?: number | undefined;
  /** Set in the first byte: RSV1 is 0x40. */
  readonly reserved?: number;
  /** Said instead of the payload's own length: in 64 bits. */
  readonly length?: bigint;
}

/** A frame, written by hand so that it may be wrong. */
function encode({ opcode, fin, payload, mask, reserved = 0, length }: Frame): Uint8Array {
  const masked = mask !== undefined;
  const head = new Uint8Array(MAX_HEADER_BYTES);
  let size = frameHeaderBytes(payload.length, masked);
  if (length === undefined) writeFrameHeader(head, 0, opcode, payload.length, mask);
  else {
    const view = new DataView(head.buffer);
    head.set([0x80 | opcode, (masked ? 0x80 : 0) | 127]);
    view.setBigUint64(2, length);
    if (masked) view.setUint32(10, mask);
    size = masked ? 14 : 10;
  }
  head[0] = (fin ? 0x80 : 0) | reserved | opcode;
  const bytes = new Uint8Array(size + payload.length);
  bytes.set(head.subarray(0, size));
  for (let at = 0; at < payload.length; at++) {
    bytes[size + at] = (payload[at] as number) ^ (masked ? (mask >>> (24 - 8 * (at & 3))) & 0xff : 0);
  }
  return bytes;
}

function split(random: SeededRandom, bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = random.pick([1, 2, 3, 10, 14, 1 + random.below(bytes.length), bytes.length]);
    pieces.push(bytes.slice(at, at + size));
    at += size;
  }
  return pieces;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** Frames that are mostly right: fragmented messages with control frames between, and now and then a breach of any kind. */
function someFrames(random: SeededRandom, masked: boolean): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const mask = () => masked === !random.chance(0.01) ? random.pick([0, Math.floor(random.next() * 2 ** 32)]) : undefined;
  const bytes = (length: number) => Uint8Array.from({ length }, () => random.below(256));
  let open = false;
  for (let left = 1 + random.below(12); left > 0; left--) {
    const wrong = random.chance(0.04);
    if (random.chance(0.3)) {
      const opcode = wrong ? random.pick([11, 12, 15]) : random.pick([Opcode.ping, Opcode.pong]);
      frames.push(encode({ opcode, fin: !random.chance(0.02), payload: bytes(random.pick([0, 1, 125, random.below(126)])), mask: mask() }));
    } else if (random.chance(0.04)) {
      const code = random.pick([1000, 1001, 1005, 999, 4000, 4001, 1015, 2999, random.below(65_536)]);
      const reason = random.chance(0.5) ? new TextEncoder().encode("gründlich") : bytes(random.below(20));
      const payload = random.chance(0.1) ? bytes(random.below(2)) : join([new Uint8Array([code >> 8, code & 0xff]), reason]);
      frames.push(encode({ opcode: Opcode.close, fin: true, payload, mask: mask() }));
    } else {
      const opcode = wrong ? random.pick([0, 2, 3, 7]) : open ? 0 : 2;
      const fin = random.chance(0.6);
      const payload = bytes(random.pick([0, 1, 125, 126, 127, 300, random.below(2_000), random.chance(0.05) ? 66_000 : 5]));
      const lie = random.chance(0.01) ? { length: random.pick([100_001n, 2n ** 53n, 2n ** 63n]) } : {};
      frames.push(
        encode({ opcode, fin, payload, mask: mask(), reserved: random.chance(0.01) ? random.pick([0x40, 0x20, 0x10]) : 0, ...lie }),
      );
      open = !fin;
    }
  }
  // Both have seen the whole of all others when this one arrives.
  frames.push(encode({ opcode: Opcode.ping, fin: true, payload: bytes(1), mask: masked ? 1 : undefined }));
  return frames;
}

for (const masked of [true, false]) {
  Deno.test(`frames in any pieces are read as the reference reads them, as a ${masked ? "server" : "client"}`, async () => {
    const until = performance.now() + SECONDS * 500;
    let seed = ONE_SEED ? Number(ONE_SEED) : Math.floor(Math.random() * 2 ** 31);
    let breaches = 0;
    let rounds = 0;
    do {
      const random = new SeededRandom(seed);
      const pieces = split(random, join(someFrames(random, masked)));
      const wanted = await readByReference(pieces, masked);
      assert.deepEqual(read(pieces, masked), wanted, `KURUN_FUZZ_SEED=${seed}`);
      if (wanted.at(-1)?.startsWith("breach")) breaches++;
      rounds++;
      seed++;
    } while (!ONE_SEED && performance.now() < until);
    assert.ok(ONE_SEED || (breaches > 3 && breaches < rounds), `${breaches} breaches in ${rounds} rounds`);
  });
}

Deno.test("random bytes are read, or are a breach, and nothing else", () => {
  const until = performance.now() + SECONDS * 500;
  let seed = ONE_SEED ? Number(ONE_SEED) : Math.floor(Math.random() * 2 ** 31);
  do {
    const random = new SeededRandom(seed);
    const bytes = Uint8Array.from(
      { length: random.below(3_000) },
      () => random.chance(0.3) ? random.pick([0x82, 0x80, 0x89, 126, 127, 254, 255, 0]) : random.below(256),
    );
    for (const masked of [true, false]) {
      const whole = read([bytes], masked);
      assert.deepEqual(read(split(random, bytes), masked), whole, `KURUN_FUZZ_SEED=${seed}`);
    }
    seed++;
  } while (!ONE_SEED && performance.now() < until);
});

Deno.test("frames are written byte by byte as the reference writes them", () => {
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]) {
    for (const mask of [undefined, 0, 0xa1b2c3d4]) {
      const payload = Uint8Array.from({ length }, (_, at) => at & 0xff);
      const generateMask = (into: Uint8Array) => new DataView(into.buffer, into.byteOffset).setUint32(0, mask ?? 0);
      const options = { fin: true, opcode: 2, mask: mask !== undefined, generateMask, readOnly: true, rsv1: false };
      assert.deepEqual(encode({ opcode: 2, fin: true, payload, mask }), join(Sender.frame(payload, options)));
    }
  }
});

Deno.test("a text message is refused at its header, and limits are kept before the payload arrives", () => {
  assert.deepEqual(read([new Uint8Array([0x81, 0x80])], true), ["breach 1003"]);
  assert.deepEqual(read([new Uint8Array([0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0])], true, { messageBytes: 1_000, fragments: 16 }), [
    "breach 1009",
  ]);
  const fragment = (opcode: number) => encode({ opcode, fin: false, payload: new Uint8Array(0), mask: 0 });
  const many = [fragment(2), ...Array.from({ length: 15 }, () => fragment(0))];
  assert.deepEqual(read(many, true, { messageBytes: 1_000, fragments: 16 }), []);
  assert.deepEqual(read([...many, fragment(0)], true, { messageBytes: 1_000, fragments: 16 }), ["breach 1008"]);
});

/**
 * The cases of the Autobahn test suite (crossbario/autobahn-testsuite) for a peer that takes binary messages: 1.2, 2, 3, 4, 5 and 7.
 * 1.1 and 6 are about text; 5 is here with binary messages in place of text; 9 (size) is the limit's test and the bulk benchmarks; 12 and
 * 13 are about compression, which is not offered.
 */
const bin = (length: number, fin = true): Frame => ({ opcode: 2, fin, payload: new Uint8Array(length).fill(0xfe) });
const more = (length: number, fin = true): Frame => ({ ...bin(length, fin), opcode: 0 });
const ping = (length: number, more: Partial<Frame> = {}): Frame => ({
  opcode: 9,
  fin: true,
  payload: new Uint8Array(length).fill(0x70),
  ...more,
});
const pong = (length: number): Frame => ({ ...ping(length), opcode: 10 });
const close = (...payload: number[]): Frame => ({ opcode: 8, fin: true, payload: new Uint8Array(payload) });
const m = (length: number) => `message ${hex(new Uint8Array(length).fill(0xfe))}`;
const p = (length: number) => `ping ${hex(new Uint8Array(length).fill(0x70))}`;
const AUTOBAHN: [name: string, frames: Frame[], found: Found[]][] = [
  ...[0, 125, 126, 127, 128, 65_535, 65_536].map((size, i): [string, Frame[], Found[]] => [`1.2.${i + 1}`, [bin(size)], [m(size)]]),
  ["2.1 ping without payload", [ping(0)], [p(0)]],
  ["2.4 ping of 125 bytes", [ping(125)], [p(125)]],
  ["2.5 ping of 126 bytes", [ping(126)], ["breach 1002"]],
  ["2.7 unsolicited pong", [pong(0), bin(1)], ["pong ", m(1)]],
  ["2.8 unsolicited pong with payload", [pong(3), ping(2)], ["pong 707070", p(2)]],
  ["2.10 ten pings", Array.from({ length: 10 }, () => ping(4)), Array.from({ length: 10 }, () => p(4))],
  ...[0x40, 0x20, 0x30, 0x10, 0x50, 0x60, 0x70].map((reserved, i): [string, Frame[], Found[]] => [
    `3.${i + 1} reserved bits`,
    [bin(2), { ...bin(2), reserved }, ping(0)],
    [m(2), "breach 1002"],
  ]),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, Frame[], Found[]] => [
    `4.${opcode < 8 ? 1 : 2} opcode ${opcode}`,
    [bin(2), { ...bin(0), opcode }, ping(0)],
    [m(2), "breach 1002"],
  ]),
  ["5.1 fragmented ping", [ping(2, { fin: false }), more(2)], ["breach 1002"]],
  ["5.2 fragmented pong", [{ ...pong(2), fin: false }, more(2)], ["breach 1002"]],
  ["5.3 a message in two fragments", [bin(2, false), more(3)], [m(5)]],
  ["5.6 a ping between fragments", [bin(2, false), ping(1), more(3)], [p(1), m(5)]],
  ["5.9 continuation without a message", [more(2), bin(2)], ["breach 1002"]],
  ["5.10 unfinished continuation without a message", [more(2, false), bin(2)], ["breach 1002"]],
  ["5.15 continuation after the end", [bin(2, false), more(2), more(2, false), bin(2)], [m(4), "breach 1002"]],
  ["5.18 a message within another", [bin(2, false), bin(2)], ["breach 1002"]],
  ["5.19 pings between five fragments", [bin(1, false), more(1, false), ping(1), more(1, false), more(1, false), ping(1), more(1)], [
    p(1),
    p(1),
    m(5),
  ]],
  ["7.1.3 a message after close", [close(3, 232), bin(2)], ["close 1000 "]],
  ["7.1.4 a ping after close", [close(3, 232), ping(2)], ["close 1000 "]],
  ["7.1.5 close within a message", [bin(2, false), close(3, 232), more(2)], ["close 1000 "]],
  ["7.3.1 empty close", [close()], ["close 1005 "]],
  ["7.3.2 close of one byte", [close(3)], ["breach 1002"]],
  ["7.3.4 close with a reason", [close(3, 232, 0x6f, 0x6b)], ["close 1000 ok"]],
  ["7.3.5 the longest reason", [close(3, 232, ...new Array(123).fill(0x2a))], [`close 1000 ${"*".repeat(123)}`]],
  ["7.3.6 a reason that is too long", [close(3, 232, ...new Array(124).fill(0x2a))], ["breach 1002"]],
  ["7.5.1 a reason that is not UTF-8", [close(3, 232, 0xce, 0xba, 0xed, 0xa0, 0x80)], ["breach 1007"]],
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map((code): [string, Frame[], Found[]] => [
    `7.7 close code ${code}`,
    [close(code >> 8, code & 0xff)],
    [`close ${code} `],
  ]),
  ...[0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535].map((code): [string, Frame[], Found[]] => [
    `7.9 close code ${code}`,
    [close(code >> 8, code & 0xff)],
    ["breach 1002"],
  ]),
];

for (const [name, frames, found] of AUTOBAHN) {
  Deno.test(`Autobahn ${name}`, async () => {
    for (const masked of [true, false]) {
      const bytes = join(frames.map((frame) => encode({ ...frame, mask: masked ? 0x01020304 : undefined })));
      assert.deepEqual(read([bytes], masked), found);
      assert.deepEqual(read([...bytes].map((byte) => new Uint8Array([byte])), masked), found, "one byte at a time");
      assert.deepEqual(await readByReference([bytes], masked), found, "the reference");
    }
  });
}
