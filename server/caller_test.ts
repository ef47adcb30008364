import assert from "node:assert/strict";
import { type Connection, SessionEndedError } from "../tunnel/mod.ts";
import { CallerConnection, NobodyConnectedError } from "./caller.ts";
import { H2_PREFACE } from "./http2_exchanges.ts";

/** A caller who has sent `sent` and sends no more. */
class ScriptedCaller implements Connection {
  readonly got: number[] = [];
  end: "open" | "ended" | "reset" = "open";
  readonly #sent: Uint8Array[];
  readonly #over = Promise.withResolvers<null>();

  constructor(...sent: Uint8Array[]) {
    this.#sent = sent;
  }

  read(): Promise<Uint8Array | null> {
    const bytes = this.#sent.shift();
    return bytes ? Promise.resolve(bytes) : this.#over.promise;
  }

  write(bytes: Uint8Array): void {
    assert.equal(this.end, "open");
    this.got.push(...bytes);
  }

  closeWrite(): void {
    this.end = "ended";
    this.#over.resolve(null);
  }

  reset(): void {
    if (this.end === "open") this.end = "reset";
    this.#over.resolve(null);
  }
}

const text = (value: string) => new TextEncoder().encode(value);
const frame = (type: number, flags: number, id: number, ...payload: number[]) =>
  new Uint8Array([0, 0, payload.length, type, flags, 0, 0, 0, id, ...payload]);
const joined = (...parts: Uint8Array[]) => new Uint8Array(parts.flatMap((part) => [...part]));
const [DATA, HEADERS, SETTINGS, CONTINUATION] = [0, 1, 4, 9];
const LOST = new SessionEndedError("Wi-Fi");

async function lose(caller: ScriptedCaller, back: Uint8Array[], cause: Error = LOST): Promise<{ sent: number[]; end: string }> {
  const connection = new CallerConnection(caller, { session: "kurun-1" });
  for (let left = 2; left > 0; left--) await Promise.race([connection.read(), new Promise((resolve) => setTimeout(resolve, 5))]);
  for (const bytes of back) await connection.write(bytes);
  const before = caller.got.length;
  connection.reset(cause);
  await connection.finish();
  return { sent: caller.got.slice(before), end: caller.end };
}

Deno.test("an HTTP/2 caller is told between two frames, and up to which stream its requests may have been delivered", async () => {
  const asked = joined(text(H2_PREFACE), frame(SETTINGS, 0, 0), frame(HEADERS, 5, 1, 1), frame(HEADERS, 5, 3, 1));
  // The preface in two packets, and the second within a frame's header.
  const caller = () => new ScriptedCaller(asked.slice(0, 7), asked.slice(7, 40), asked.slice(40));
  const { sent, end } = await lose(new ScriptedCaller(asked), [frame(SETTINGS, 0, 0), frame(HEADERS, 4, 1, 1, 2, 3)]);
  assert.deepEqual(sent.slice(2, 17), [sent[2], 7, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0]);
  assert.match(new TextDecoder().decode(new Uint8Array(sent.slice(17))), /may have been delivered$/);
  assert.equal(end, "ended");
  const early = await lose(caller(), []);
  assert.deepEqual(early.sent.slice(0, 9), [0, 0, 0, 4, 0, 0, 0, 0, 0]);
  const nobody = await lose(new ScriptedCaller(asked), [], new NobodyConnectedError());
  assert.deepEqual(nobody.sent.slice(18, 22), [0, 0, 0, 0]);
});

Deno.test("an HTTP/2 caller is reset within a frame, and within a header block", async () => {
  const asked = joined(text(H2_PREFACE), frame(SETTINGS, 0, 0), frame(HEADERS, 5, 1, 1));
  const data = frame(DATA, 0, 1, 1, 2, 3, 4);
  for (
    const back of [
      data.slice(0, 4),
      data.slice(0, 11),
      frame(HEADERS, 0, 1, 1),
      joined(frame(HEADERS, 0, 1, 1), frame(CONTINUATION, 0, 1, 1)),
    ]
  ) {
    const { sent, end } = await lose(new ScriptedCaller(asked), [frame(SETTINGS, 0, 0), back]);
    assert.deepEqual([sent, end], [[], "reset"]);
  }
  assert.equal((await lose(new ScriptedCaller(asked), [joined(frame(HEADERS, 0, 1, 1), frame(CONTINUATION, 4, 1, 1))])).end, "ended");
});

Deno.test("an HTTP/2 caller of a server that is being stopped is told once, between two frames, and goes on", async () => {
  const caller = new ScriptedCaller(joined(text(H2_PREFACE), frame(SETTINGS, 0, 0), frame(HEADERS, 5, 1, 1)));
  const connection = new CallerConnection(caller, { session: "kurun-1" });
  await connection.read();
  connection.drain();
  assert.deepEqual(caller.got, []);
  await connection.write(frame(SETTINGS, 0, 0).slice(0, 5));
  assert.equal(caller.got.length, 5);
  await connection.write(frame(SETTINGS, 0, 0).slice(5));
  assert.deepEqual(caller.got.slice(9 + 3, 9 + 17), [7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
  const told = caller.got.length;
  await connection.write(frame(DATA, 1, 1, 9));
  assert.equal(caller.got.length, told + 10);
});

Deno.test("a request that crosses the end of an idle connection does not reach the program: it would have no answer", async () => {
  const crossing = Promise.withResolvers<Uint8Array>();
  const caller = new ScriptedCaller();
  caller.read = () => crossing.promise;
  const connection = new CallerConnection(caller, { session: "kurun-1" });
  const read = connection.read();
  connection.drain();
  connection.closeIdle();
  assert.equal(caller.end, "ended");
  crossing.resolve(text(GET));
  assert.equal(await read, null);
  caller.read = () => Promise.resolve(null);
  await connection.finish();
});

const GET = "GET /x HTTP/1.1\r\nHost: k\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
for (
  const [name, asked, back, sent, end] of [
    ["between two requests: a clean end", GET, OK, /^$/, "ended"],
    ["a second request waits: 503", GET + GET, OK, /^HTTP\/1\.1 503 /, "ended"],
    [
      "after 100 Continue: 503",
      "POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
      /^HTTP\/1\.1 503 /,
      "ended",
    ],
    ["within an answer's head: a reset", GET, "HTTP/1.1 200 OK\r\nConten", /^$/, "reset"],
    ["within an answer's body: a reset", GET, OK.slice(0, -1), /^$/, "reset"],
    ["within a body that ends with its connection: a reset", GET, "HTTP/1.1 200 OK\r\n\r\nok", /^$/, "reset"],
    ["after an answer that nobody asked for: a reset", GET, OK + "HTTP/1.1 204 No Content\r\n\r\n", /^$/, "reset"],
    [
      "after a WebSocket began: a reset",
      `${GET.slice(0, -2)}Upgrade: x\r\n\r\n`,
      "HTTP/1.1 101 Switching Protocols\r\n\r\n",
      /^$/,
      "reset",
    ],
    ["after bytes that are no HTTP: a reset", "SSH-2.0-x\r\n", "SSH-2.0-y\r\n", /^$/, "reset"],
    ["a HEAD's answer has no body: a clean end", GET.replace("GET", "HEAD"), OK.slice(0, -2), /^$/, "ended"],
  ] as const
) {
  Deno.test(`the session is lost ${name}`, async () => {
    const lost = await lose(new ScriptedCaller(text(asked)), [text(back)]);
    assert.match(new TextDecoder().decode(new Uint8Array(lost.sent)), sent);
    assert.equal(lost.end, end);
  });
}
