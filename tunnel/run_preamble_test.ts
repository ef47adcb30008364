import assert from "node:assert/strict";
import type { Connection } from "./connection.ts";
import { encodeMessage, readMessages } from "./messages.ts";
import { encodePreamble, readRunPreamble, type RunPreamble } from "./preamble.ts";
import { parseClientMessage, parseSupervisorMessage } from "./run_messages.ts";

/** A connection from which these bytes arrive, in pieces of `size`. */
function bringing(bytes: Uint8Array, size = bytes.length): Connection {
  let at = 0;
  return {
    read: () => Promise.resolve(at >= bytes.length ? null : bytes.slice(at, at += size)),
    write: () => {},
    closeWrite: () => {},
    reset: () => {},
  };
}

function record(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array([bytes.length >> 8, bytes.length & 255, ...bytes]);
}

const SHA256 = "0123456789abcdef".repeat(4);

Deno.test("a stream of a run says its purpose, and the bytes after that are passed on", async () => {
  const preambles: RunPreamble[] = [
    { for: "control" },
    { for: "program", sha256: SHA256, size: 60_000_000 },
    { for: "stdin", run: 1 },
    { for: "stdout", run: 2 },
    { for: "stderr", run: 3 },
    { for: "port", port: 8080 },
  ];
  for (const preamble of preambles) {
    const bytes = new Uint8Array([...encodePreamble(preamble), 7, 8]);
    assert.deepEqual(await readRunPreamble(bringing(bytes)), { preamble, rest: new Uint8Array([7, 8]) });
  }
});

for (
  const text of [
    "",
    "null",
    "{}",
    '{"for":"else"}',
    `{"for":"program","sha256":"../${SHA256.slice(3)}","size":1}`,
    `{"for":"program","sha256":"${SHA256}","size":-1}`,
    '{"for":"stdout","run":0}',
    '{"for":"stdin","run":"1"}',
    '{"for":"port","port":65536}',
  ]
) {
  Deno.test(`a run's preamble is refused if it is ${text === "" ? "empty" : text}`, async () => {
    await assert.rejects(readRunPreamble(bringing(record(text))), { name: "HandshakeError" });
  });
}

Deno.test("messages are found however the bytes are split", async () => {
  const messages = [{ a: "é" }, [1, 2], "x".repeat(3000)];
  const bytes = new Uint8Array(messages.flatMap((message) => [...encodeMessage(message)]));
  for (const size of [1, 3, 4096]) {
    const found: unknown[] = [];
    for await (const message of readMessages(bringing(bytes, size), new Uint8Array())) found.push(message);
    assert.deepEqual(found, messages);
  }
});

Deno.test("a message that is too long, cut off or not JSON is a protocol error", async () => {
  const read = async (bytes: number[]) => {
    for await (const _ of readMessages(bringing(new Uint8Array(bytes)), new Uint8Array()));
  };
  await assert.rejects(read([255, 0, 0, 0]), /too long/);
  await assert.rejects(read([0, 0, 0, 9, 34]), /within a message/);
  await assert.rejects(read([0, 0, 0, 1, 34]), /not JSON/);
});

Deno.test("messages of client and supervisor are checked", () => {
  const start = {
    seq: 1,
    do: "start",
    run: 1,
    kind: "script",
    sha256: SHA256,
    name: "a",
    args: [],
    env: [["A", "b"]],
    workdir: "/",
    stdin: true,
  };
  assert.deepEqual(parseClientMessage(start), start);
  assert.ok(parseClientMessage({ ...start, unstable: ["kv", "raw-imports"] }));
  const wrong = [
    null,
    { ...start, seq: 0 },
    { ...start, kind: "image" },
    { ...start, args: ["a\0b"] },
    { ...start, env: [["A"]] },
    { ...start, unstable: ["kv --allow-x"] },
    { ...start, terminal: { columns: 80 } },
    { seq: 2, do: "signal", run: 1 },
    { seq: 2, do: "close", run: 1, output: "stdin" },
    { seq: 2, do: "else", run: 1 },
  ];
  for (const message of wrong) assert.throws(() => parseClientMessage(message), { name: "ProtocolError" }, JSON.stringify(message));
  for (const message of [{ is: "ready" }, { is: "ended", run: 1 }, { is: "failed", run: 1 }, { is: "started" }, 7]) {
    assert.throws(() => parseSupervisorMessage(message), { name: "ProtocolError" }, JSON.stringify(message));
  }
});
