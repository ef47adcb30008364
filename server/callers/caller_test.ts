import assert from "node:assert/strict";
import { memoryTransportPair } from "../../tests/memory_transport.ts";
import { type Connection, encodeRefused, encodeWaiting, Session, SessionEndedError, type Stream } from "../../tunnel/mod.ts";
import { CallerConnection, NobodyConnectedError } from "./caller.ts";
import { carry, DialTimeoutError, RefusedError } from "./dialed_stream.ts";
import { H2_PREFACE } from "./http2_frames.ts";

/** A caller that has sent `sent` and sends no more. */
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
const [DATA, HEADERS, SETTINGS, GOAWAY, CONTINUATION] = [0, 1, 4, 7, 9] as const;
const INTERNAL_ERROR = 2;
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

/** Type, flags, stream and payload of each frame. */
function framesOf(sent: readonly number[]): [number, number, number, Uint8Array][] {
  const frames: [number, number, number, Uint8Array][] = [];
  const view = new DataView(new Uint8Array(sent).buffer);
  for (let at = 0; at < sent.length;) {
    const length = view.getUint32(at) >>> 8;
    frames.push([
      view.getUint8(at + 3),
      view.getUint8(at + 4),
      view.getUint32(at + 5),
      new Uint8Array(sent.slice(at + 9, at + 9 + length)),
    ]);
    at += 9 + length;
  }
  return frames;
}

const kinds = (sent: readonly number[]) => framesOf(sent).map(([type, flags, id]) => [type, flags, id]);
const said = (sent: readonly number[]) => new TextDecoder().decode(new Uint8Array(sent));

/** Code and text of a GOAWAY's payload, which must name the highest stream there is. */
function goAwayOf(payload: Uint8Array): { code: number; sentence: string } {
  assert.deepEqual([...payload.slice(0, 4)], [0x7f, 0xff, 0xff, 0xff]);
  return { code: payload[7] as number, sentence: said([...payload.slice(8)]) };
}

Deno.test("an HTTP/2 caller whose program was answering gets GOAWAY with an error and the sentence, and the connection ends", async () => {
  const asked = joined(text(H2_PREFACE), frame(SETTINGS, 0, 0), frame(HEADERS, 5, 1, 1), frame(HEADERS, 5, 3, 1));
  const back = joined(frame(SETTINGS, 0, 0), frame(HEADERS, 4, 1, 1, 2, 3));
  const { sent, end } = await lose(new ScriptedCaller(asked), [back]);
  assert.deepEqual(kinds(sent), [[GOAWAY, 0, 0]]);
  const { code, sentence } = goAwayOf(framesOf(sent)[0]![3]);
  assert.equal(code, INTERNAL_ERROR);
  assert.match(sentence, /^kurun: the connection .* may have been delivered$/);
  assert.equal(end, "ended");
});

Deno.test("an HTTP/2 caller to whom nothing was sent gets SETTINGS first, in whatever packets its request came", async () => {
  const asked = joined(text(H2_PREFACE), frame(SETTINGS, 0, 0), frame(HEADERS, 5, 1, 1));
  for (const cuts of [[], [7, 40], [14], [30]]) {
    const parts = [0, ...cuts].map((from, i) => asked.slice(from, cuts[i]));
    const { sent, end } = await lose(new ScriptedCaller(...parts), [], new NobodyConnectedError());
    assert.deepEqual(kinds(sent), [[SETTINGS, 0, 0], [GOAWAY, 0, 0]]);
    assert.match(goAwayOf(framesOf(sent)[1]![3]).sentence, /^kurun: nobody is connected to session kurun-1/);
    assert.equal(end, "ended");
  }
});

Deno.test("an HTTP/2 caller that has not asked yet gets SETTINGS and time to ask, so that its request fails with the connection", async () => {
  const caller = new ScriptedCaller(joined(text(H2_PREFACE), frame(SETTINGS, 0, 0)));
  const asks = Promise.withResolvers<Uint8Array>();
  const scripted = caller.read.bind(caller);
  let reads = 0;
  caller.read = () => ++reads === 2 ? asks.promise : scripted();
  const connection = new CallerConnection(caller, { session: "kurun-1" });
  await connection.read();
  connection.reset(new RefusedError("100 % down: é"));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(kinds(caller.got), [[SETTINGS, 0, 0]]);
  asks.resolve(frame(HEADERS, 5, 1, 1));
  await connection.finish();
  assert.equal(goAwayOf(framesOf(caller.got)[1]![3]).sentence, "kurun: 100 % down: é");
});

Deno.test("a client that says it is waiting is waited for until it answers", async () => {
  const wires = memoryTransportPair();
  const client = new Session(wires[0], {
    role: "client",
    now: () => 0,
    onStream: async (stream) => {
      await stream.write(encodeWaiting());
      await new Promise((resolve) => setTimeout(resolve, 100));
      await stream.write(encodeWaiting());
      await stream.write(encodeRefused("it is gone"));
      stream.closeWrite();
    },
  });
  const server = new Session(wires[1], { role: "server", now: () => 0 });
  const connection = new CallerConnection(new ScriptedCaller(text(GET)), { session: "kurun-1" });
  const { error } = await carry(connection, server.open(new Uint8Array([1])), 30);
  assert.ok(error instanceof RefusedError, String(error));
  await connection.finish();
  client.close(1000, "");
});

Deno.test("a client that refuses a stream before its caller has asked still gets what the caller asks", async () => {
  const wires = memoryTransportPair();
  const got: Uint8Array[] = [];
  const refused = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const client = new Session(wires[0], {
    role: "client",
    now: () => 0,
    onStream: async (stream) => {
      await stream.write(encodeRefused("it does not listen"));
      stream.closeWrite();
      refused.resolve();
      for (let bytes = await stream.read().catch(() => null); bytes; bytes = await stream.read().catch(() => null)) got.push(bytes);
      ended.resolve();
    },
  });
  const server = new Session(wires[1], { role: "server", now: () => 0 });
  const caller = new ScriptedCaller();
  const scripted = caller.read.bind(caller);
  let reads = 0;
  caller.read = () => ++reads > 1 ? scripted() : refused.promise.then(() => new Promise((asks) => setTimeout(() => asks(text(GET)), 50)));
  const connection = new CallerConnection(caller, { session: "kurun-1" });
  const { error } = await carry(connection, server.open(new Uint8Array([1])));
  assert.ok(error instanceof RefusedError, String(error));
  await connection.finish();
  assert.match(said(caller.got), /^HTTP\/1\.1 502 [^]*kurun: it does not listen\n$/);
  await ended.promise;
  assert.ok(said([...joined(...got)]).endsWith(GET));
  client.close(1000, "");
});

Deno.test("a client that does not answer a stream's preamble in time: a 502 that says so, and the stream is reset", async () => {
  const wires = memoryTransportPair();
  const client = new Session(wires[0], { role: "client", now: () => 0, onStream: (stream) => void streams.push(stream) });
  const server = new Session(wires[1], { role: "server", now: () => 0 });
  const streams: Stream[] = [];
  const caller = new ScriptedCaller(text(GET));
  const connection = new CallerConnection(caller, { session: "kurun-1" });
  const { error } = await carry(connection, server.open(new Uint8Array([1])), 30);
  assert.ok(error instanceof DialTimeoutError);
  await connection.finish();
  assert.match(
    said(caller.got),
    /^HTTP\/1\.1 502 [^]*kurun: kurun port-forward did not report within 0.03 s whether it reached the program\n$/,
  );
  assert.match(String(streams[0]!.failure), /reset/);
  client.close(1000, "");
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

Deno.test("an HTTP/2 caller of a server that is being stopped gets one GOAWAY, between two frames, and finishes its streams", async () => {
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

Deno.test("an HTTP/2 caller whose connection breaks while its server is being stopped does not disturb that", async () => {
  for (const broken of [() => Promise.reject(new Error("broken")), () => assert.fail("broken")]) {
    const caller = new ScriptedCaller(joined(text(H2_PREFACE), frame(SETTINGS, 0, 0)));
    const connection = new CallerConnection(caller, { session: "kurun-1" });
    await connection.read();
    await connection.write(frame(SETTINGS, 0, 0));
    caller.write = broken;
    connection.drain();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
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
    ["after bytes that are not HTTP: a reset", "SSH-2.0-x\r\n", "SSH-2.0-y\r\n", /^$/, "reset"],
    ["a HEAD's answer has no body: a clean end", GET.replace("GET", "HEAD"), OK.slice(0, -2), /^$/, "ended"],
  ] as const
) {
  Deno.test(`the session is lost ${name}`, async () => {
    const lost = await lose(new ScriptedCaller(text(asked)), [text(back)]);
    assert.match(new TextDecoder().decode(new Uint8Array(lost.sent)), sent);
    assert.equal(lost.end, end);
  });
}

const CLOSED = OK.replace("\r\n", "\r\nConnection: close\r\n");
const UPGRADE = `${GET.slice(0, -2)}Upgrade: x\r\n\r\n`;
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
for (
  const [name, asked, back, got] of [
    ["an answer says that it is the last", GET, [OK], CLOSED],
    ["an interim answer does not, and the one behind it does", GET, [CONTINUE, OK], CONTINUE + CLOSED],
    ["of two answers that are awaited, the second does", GET + GET, [OK, OK], OK + CLOSED],
    ["a switch to another protocol does not", UPGRADE, [SWITCH, OK], SWITCH + OK],
    ["bytes that are not HTTP do not", "SSH-2.0-x\r\n", ["SSH-2.0-y\r\n"], "SSH-2.0-y\r\n"],
    ["an answer in pieces does", GET, [OK.slice(0, 20), OK.slice(20, -1), OK.slice(-1)], CLOSED],
  ] as const
) {
  Deno.test(`while the server is being stopped, ${name}`, async () => {
    const caller = new ScriptedCaller(text(asked));
    const connection = new CallerConnection(caller, { session: "kurun-1" });
    await connection.read();
    connection.drain();
    for (const bytes of back) await connection.write(text(bytes));
    assert.equal(said(caller.got), got);
  });
}
