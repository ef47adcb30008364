import assert from "node:assert/strict";
import { type WatchEvent, watchEvents } from "./watch.ts";

async function decode(...parts: Uint8Array[]): Promise<WatchEvent<unknown>[]> {
  const events: WatchEvent<unknown>[] = [];
  async function* body() {
    yield* parts;
  }
  for await (const event of watchEvents(body())) events.push(event);
  return events;
}

const EVENTS = [{ type: "ADDED", object: { name: "ä€😀" } }, { type: "BOOKMARK", object: {} }];
const BYTES = new TextEncoder().encode(EVENTS.map((event) => JSON.stringify(event) + "\n").join("\n"));

Deno.test("watchEvents() decodes the same events wherever the stream is cut", async () => {
  for (let at = 0; at <= BYTES.length; at++) {
    assert.deepEqual(await decode(BYTES.subarray(0, at), BYTES.subarray(at)), EVENTS);
  }
  assert.deepEqual(await decode(...Array.from(BYTES, (byte) => Uint8Array.of(byte))), EVENTS);
});

Deno.test("watchEvents() drops a last line that was cut off", async () => {
  assert.deepEqual(await decode(BYTES.subarray(0, BYTES.length - 5)), EVENTS.slice(0, 1));
});

Deno.test("watchEvents() refuses a line that is not an event", async () => {
  for (const line of ["<html>\n", "{}\n", '{"type":"ADDED","object":null}\n']) {
    await assert.rejects(decode(new TextEncoder().encode(line)), SyntaxError);
  }
});

Deno.test("watchEvents() refuses a line that never ends", async () => {
  const part = new Uint8Array(1024 * 1024).fill(32);
  await assert.rejects(decode(...Array(17).fill(part)), /longer than/);
});
