import assert from "node:assert/strict";
import { memoryTransportPair } from "../../tunnel/memory_transport.ts";
import { type Connection, Session, SessionEndedError, type Stream } from "../../tunnel/mod.ts";
import { CallerConnection, carry, DialTimeoutError, NobodyConnectedError, RefusedError } from "./caller.ts";
import { H2_PREFACE } from "./http2_frames.ts";

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
const [DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY, WINDOW_UPDATE, CONTINUATION] = [0, 1, 3, 4, 7, 8, 9] as const;
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

Deno.test("an HTTP/2 caller gets a 503 on each stream without an answer, a reset on one in its answer, and GOAWAY", async () => {
  const asked = joined(text(H2_PREFACE), frame(SETTINGS, 0, 0), frame(HEADERS, 5, 1, 1), frame(HEADERS, 5, 3, 1), frame(HEADERS, 5, 5, 1));
  const back = joined(frame(SETTINGS, 0, 0), frame(HEADERS, 4, 1, 1, 2, 3), frame(HEADERS, 4, 5, 1), frame(DATA, 1, 5, 1));
  const { sent, end } = await lose(new ScriptedCaller(asked), [back]);
  assert.deepEqual(kinds(sent), [[RST_STREAM, 0, 1], [HEADERS, 4, 3], [DATA, 1, 3], [GOAWAY, 0, 0]]);
  const [reset, headers, data, goAway] = framesOf(sent).map(([, , , payload]) => payload);
  assert.deepEqual([...reset!], [0, 0, 0, 2]);
  const plain = "text/plain; charset=utf-8";
  assert.deepEqual([...headers!.slice(0, 33)], [8, 3, ...text("503"), 0x0f, 16, plain.length, ...text(plain)]);
  assert.match(said([...data!]), /^kurun: .* may have been delivered\n$/);
  assert.deepEqual([...goAway!.slice(0, 8)], [0, 0, 0, 5, 0, 0, 0, 0]);
  assert.match(said([...goAway!.slice(8)]), /may have been delivered$/);
  assert.equal(end, "ended");
});

Deno.test("an HTTP/2 caller to whom nothing was sent gets SETTINGS first, in whatever packets its request came", async () => {
  const asked = joined(text(H2_PREFACE), frame(SETTINGS, 0, 0), frame(HEADERS, 5, 1, 1));
  for (const cuts of [[], [7, 40], [14], [30]]) {
    const parts = [0, ...cuts].map((from, i) => asked.slice(from, cuts[i]));
    const { sent, end } = await lose(new ScriptedCaller(...parts), [], new NobodyConnectedError());
    assert.deepEqual(kinds(sent), [[SETTINGS, 0, 0], [SETTINGS, 1, 0], [HEADERS, 4, 1], [DATA, 1, 1], [GOAWAY, 0, 0]]);
    assert.equal(end, "ended");
  }
});

Deno.test("an HTTP/2 caller that has not asked yet is greeted with SETTINGS, and its request is waited for", async () => {
  const caller = new ScriptedCaller(joined(text(H2_PREFACE), frame(SETTINGS, 0, 0)));
  const asks = Promise.withResolvers<Uint8Array>();
  const scripted = caller.read.bind(caller);
  let reads = 0;
  caller.read = () => ++reads === 2 ? asks.promise : scripted();
  const connection = new CallerConnection(caller, { session: "kurun-1" });
  await connection.read();
  connection.reset(new NobodyConnectedError());
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(kinds(caller.got), [[SETTINGS, 0, 0]]);
  asks.resolve(frame(HEADERS, 5, 1, 1));
  await connection.finish();
  assert.deepEqual(kinds(caller.got).slice(1), [[SETTINGS, 1, 0], [HEADERS, 4, 1], [DATA, 1, 1], [GOAWAY, 0, 0]]);
});

Deno.test("a gRPC caller gets its sentence as a gRPC status, in either spelling of its content type", async () => {
  const plain = [0x5f, 16, ...text("application/grpc")];
  const huffman = [0x5f, 0x8b, 0x1d, 0x75, 0xd0, 0x62, 0x0d, 0x26, 0x3d, 0x4c, 0x4d, 0x65, 0x64];
  for (const contentType of [plain, huffman]) {
    const asked = joined(text(H2_PREFACE), frame(SETTINGS, 0, 0), frame(HEADERS, 4, 1, 0x83, ...contentType));
    const { sent } = await lose(new ScriptedCaller(asked.slice(0, 50), asked.slice(50)), [], new RefusedError("100 % down: é"));
    assert.deepEqual(kinds(sent).slice(2), [[HEADERS, 5, 1], [GOAWAY, 0, 0]]);
    const headers = said([...framesOf(sent)[2]![3]]).replace(/\p{Cc}/gu, "|");
    assert.match(headers, /\|application\/grpc\|\|grpc-status\|14\|\|grpc-message.kurun: 100 %25 down: %C3%A9$/);
  }
});

Deno.test("an HTTP/2 caller without room for the sentence gets the status alone", async () => {
  const ask = frame(HEADERS, 5, 1, 1);
  const small = frame(SETTINGS, 0, 0, 0, 4, 0, 0, 0, 5);
  const rooms: [Uint8Array, Uint8Array[]][] = [
    [joined(text(H2_PREFACE), small, ask), []],
    [joined(text(H2_PREFACE), frame(SETTINGS, 0, 0), ask), [new Uint8Array([0, 255, 200, DATA, 0, 0, 0, 0, 9, ...new Uint8Array(65_480)])]],
  ];
  for (const [asked, back] of rooms) {
    assert.deepEqual(kinds((await lose(new ScriptedCaller(asked), back)).sent).slice(-2), [[HEADERS, 5, 1], [GOAWAY, 0, 0]]);
  }
  const more = joined(rooms[1]![0], frame(WINDOW_UPDATE, 0, 0, 0, 0, 4, 0));
  assert.deepEqual(kinds((await lose(new ScriptedCaller(more), rooms[1]![1])).sent), [[HEADERS, 4, 1], [DATA, 1, 1], [GOAWAY, 0, 0]]);
});

Deno.test("an HTTP/2 stream that its caller has reset gets no answer", async () => {
  const asked = joined(text(H2_PREFACE), frame(SETTINGS, 0, 0), frame(HEADERS, 5, 1, 1), frame(RST_STREAM, 0, 1, 0, 0, 0, 8));
  assert.deepEqual(kinds((await lose(new ScriptedCaller(asked), [frame(SETTINGS, 0, 0)])).sent), [[GOAWAY, 0, 0]]);
});

Deno.test("an HTTP/2 stream that the program's GOAWAY has turned away gets no answer, and no later GOAWAY names it", async () => {
  const asked = joined(text(H2_PREFACE), frame(SETTINGS, 0, 0), frame(HEADERS, 5, 1, 1), frame(HEADERS, 5, 3, 1));
  const { sent } = await lose(new ScriptedCaller(asked), [joined(frame(SETTINGS, 0, 0), frame(GOAWAY, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0))]);
  assert.deepEqual(kinds(sent), [[HEADERS, 4, 1], [DATA, 1, 1], [GOAWAY, 0, 0]]);
  assert.deepEqual([...framesOf(sent)[2]![3].slice(0, 4)], [0, 0, 0, 1]);
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
    /^HTTP\/1\.1 502 [^]*kurun: kurun port-forward did not say within 0.03 s whether it reaches the program\n$/,
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
