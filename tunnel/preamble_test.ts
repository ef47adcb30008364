import assert from "node:assert/strict";
import type { Connection } from "./connection.ts";
import { HandshakeError } from "./errors.ts";
import { encodeAccepted, encodePreamble, encodeRefused, MAX_RECORD_BYTES, readAnswer, readPreamble } from "./preamble.ts";

function source(pieces: Uint8Array[]): Connection {
  const left = [...pieces];
  return { read: () => Promise.resolve(left.shift() ?? null), write() {}, closeWrite() {}, reset() {} };
}

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("a preamble says port, caller and ALPN, and the bytes after it are passed on", async () => {
  const record = encodePreamble({ port: 8444, from: "10.244.0.9:4711", alpn: "h2" });
  const joined = new Uint8Array([...record, ...bytes("GET /")]);
  for (let at = 0; at <= joined.length; at++) {
    const { preamble, rest } = await readPreamble(source([joined.slice(0, at), joined.slice(at)]));
    assert.deepEqual(preamble, { port: 8444, from: "10.244.0.9:4711", alpn: "h2" });
    if (at <= record.length || at === joined.length) assert.ok("GET /".startsWith(new TextDecoder().decode(rest)));
  }
});

Deno.test("an answer is ok, or a refusal with its reason", async () => {
  assert.equal((await readAnswer(source([encodeAccepted()]))).refused, undefined);
  assert.equal((await readAnswer(source([encodeRefused("no such port")]))).refused, "no such port");
  await assert.rejects(readAnswer(source([new Uint8Array([0, 2, 110, 111])])), HandshakeError);
});

Deno.test("a refusal's text is cut to what a record holds", async () => {
  const { refused } = await readAnswer(source([encodeRefused("x".repeat(5_000))]));
  assert.ok(refused && refused.length < MAX_RECORD_BYTES);
});

for (
  const [name, record] of [
    ["too long", new Uint8Array([0xff, 0xff])],
    ["cut off", encodePreamble({ port: 1, from: "x" }).slice(0, 9)],
    ["no JSON", new Uint8Array([0, 1, 33])],
    ["without a port", encodePreamble({ from: "x" } as never)],
    ["of a port that cannot be", encodePreamble({ port: 70_000, from: "x" })],
    ["with an escape sequence for a caller", encodePreamble({ port: 1, from: "\u001b[2J" })],
    ["with two lines for a caller", encodePreamble({ port: 1, from: "10.0.0.1:1\nForwarding" })],
    ["with an ALPN that is no name", encodePreamble({ port: 1, from: "x", alpn: "h2\n" })],
    ["of an endless caller", encodePreamble({ port: 1, from: "x".repeat(101) })],
  ] as const
) {
  Deno.test(`a preamble is refused if it is ${name}`, () => assert.rejects(readPreamble(source([record])), HandshakeError));
}
