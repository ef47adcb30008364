/** Our WebSocket over TCP against npm's `ws`, as the reference peer, in both roles. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { AddressInfo } from "node:net";
// @ts-types="@types/ws"
import WebSocket, { WebSocketServer } from "ws";
import type { TransportEnd } from "../tunnel/transport.ts";
import { READ_BYTES, release, takeReadBuffer } from "../tunnel/read_buffers.ts";
import { NativeConnection } from "../tunnel/native_connection.ts";
import { HttpConnection } from "../k8s/api/http1.ts";
import { answerOpening, checkOpening, OpeningError, openingHeaders, openingKey } from "../tunnel/web_socket/opening.ts";
import { WebSocketTransport } from "../tunnel/web_socket/web_socket_transport.ts";

/** There a socket of node:net that is closed under a write ends the process: the reference cannot be told of a breach. */
const OLD_DENO = /^2\.[0-7]\./.test(Deno.version.deno);
const LIMITS = { messageBytes: 256 * 1024, fragments: 16 };
const SIZES = [0, 1, 125, 126, 20_000, 65_535, 65_536, 100_000, 256 * 1024];

/** Both ends of a WebSocket, one of them the reference's. */
interface Pair extends AsyncDisposable {
  readonly ours: WebSocketTransport;
  readonly theirs: WebSocket;
}

/** We are the client. */
async function asClient(): Promise<Pair> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "kurun.v1" });
  const connected = new Promise<WebSocket>((resolve) => server.once("connection", resolve));
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const http = new HttpConnection(new NativeConnection(await Deno.connect({ hostname: "127.0.0.1", port })));
  const key = openingKey();
  const headers = { Host: "test", ...openingHeaders(key, "kurun.v1"), "X-Two": ["a", "b"] };
  const answer = await http.send({ method: "GET", target: "/", headers });
  assert.equal(answer.status, 101);
  await checkOpening(answer.headers, key, "kurun.v1");
  const ours = new WebSocketTransport(http.takeOver(), { role: "client", limits: LIMITS });
  const theirs = await connected;
  return {
    ours,
    theirs,
    [Symbol.asyncDispose]: async () => {
      ours.destroy();
      theirs.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** We are the server. */
async function asServer(): Promise<Pair> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const theirs = new WebSocket(`ws://127.0.0.1:${listener.addr.port}/`, "kurun.v1", { perMessageDeflate: false });
  theirs.on("error", () => {});
  const open = new Promise((resolve) => theirs.once("open", resolve));
  const connection = new NativeConnection(await listener.accept());
  const [first = "", ...lines] = new TextDecoder().decode(await connection.read() ?? undefined).trimEnd().split("\r\n");
  const headers = new Map(lines.map((line) => [line.split(":")[0]!.toLowerCase(), [line.slice(line.indexOf(":") + 1).trim()]]));
  await connection.write(await answerOpening(first.split(" ")[0]!, headers, "kurun.v1"));
  const ours = new WebSocketTransport(connection, { role: "server", limits: LIMITS });
  await open;
  return {
    ours,
    theirs,
    [Symbol.asyncDispose]: () => {
      ours.destroy();
      theirs.terminate();
      listener.close();
      return Promise.resolve();
    },
  };
}

function ended(ours: WebSocketTransport): Promise<TransportEnd> {
  return new Promise((resolve) => ours.onclose = resolve);
}

function closed(theirs: WebSocket): Promise<string> {
  return new Promise((resolve) => theirs.once("close", (code, reason) => resolve(`${code} ${reason}`)));
}

function pattern(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (at * 31 + size) & 0xff);
}

for (const [role, pair] of [["client", asClient], ["server", asServer]] as const) {
  Deno.test(`messages of every size arrive both ways, copied or handed over, as a ${role}`, async () => {
    await using both = await pair();
    const { ours, theirs } = both;
    const heard: Uint8Array[] = [];
    const all = Promise.withResolvers<void>();
    theirs.on("message", (data: Buffer) => {
      heard.push(Uint8Array.from(data));
      theirs.send(data);
    });
    const back: Uint8Array[] = [];
    let parts: Uint8Array[] = [];
    ours.onmessage = (part, last) => {
      parts.push(part.slice());
      if (!last) return;
      back.push(Uint8Array.from(Buffer.concat(parts)));
      parts = [];
      if (back.length === SIZES.length + SIZES.filter((size) => size <= READ_BYTES).length) all.resolve();
    };
    for (const size of SIZES) {
      ours.send(pattern(size));
      if (size > READ_BYTES) continue;
      const buffer = takeReadBuffer();
      buffer.set(pattern(size));
      release(buffer.subarray(size));
      ours.send(buffer.subarray(0, size));
    }
    await all.promise;
    const wanted = SIZES.flatMap((size) => size > READ_BYTES ? [pattern(size)] : [pattern(size), pattern(size)]);
    assert.deepEqual(heard, wanted);
    assert.deepEqual(back, wanted);
    assert.equal(ours.buffered, 0);
  });

  Deno.test(`a ping is answered with its payload, the last of many, as a ${role}`, async () => {
    await using both = await pair();
    const { ours, theirs } = both;
    const pongs: string[] = [];
    const last = new Promise<void>((resolve) =>
      theirs.on("pong", (data: Buffer) => {
        pongs.push(String(data));
        if (String(data) === "99") resolve();
      })
    );
    for (let i = 0; i < 100; i++) theirs.ping(String(i));
    await last;
    assert.ok(pongs.length <= 100 && ours.ended === undefined);
  });

  Deno.test(`a close travels with its code and reason, whoever begins, as a ${role}`, async () => {
    {
      await using both = await pair();
      const [end, close] = [ended(both.ours), closed(both.theirs)];
      both.ours.send(pattern(70_000));
      both.ours.close(4001, "replaced by größer " + "x".repeat(200));
      assert.match(await close, /^4001 replaced by größer x{100,}$/);
      assert.equal((await end).code, 4001);
    }
    await using both = await pair();
    const [end, close] = [ended(both.ours), closed(both.theirs)];
    both.theirs.close(4003, "stopping");
    assert.deepEqual(await end, { code: 4003, reason: "stopping" });
    assert.match(await close, /^4003 /);
  });

  Deno.test(`a breach is told to the peer by its code, and is a broken connection here, as a ${role}`, { ignore: OLD_DENO }, async () => {
    for (
      const [send, code] of [
        [(theirs: WebSocket) => theirs.send("text"), 1003],
        [(theirs: WebSocket) => theirs.send(new Uint8Array(256 * 1024 + 1)), 1009],
        [(theirs: WebSocket) => {
          for (let i = 0; i < 17; i++) theirs.send(new Uint8Array(1), { fin: false });
        }, 1008],
      ] as const
    ) {
      await using both = await pair();
      const [end, close] = [ended(both.ours), closed(both.theirs)];
      send(both.theirs);
      assert.match(await close, new RegExp(`^${code} `));
      assert.equal((await end).code, 1006);
    }
  });

  Deno.test(`a connection that breaks is code 1006, and nothing is sent any more, as a ${role}`, async () => {
    await using both = await pair();
    const end = ended(both.ours);
    both.theirs.terminate();
    assert.equal((await end).code, 1006);
    both.ours.send(new Uint8Array(1));
    both.ours.close(1000, "");
    assert.equal(both.ours.buffered, 0);
  });
}

/** The headers of a request for a WebSocket, as they arrive, with some of them others. */
function asked(others: Record<string, string> = {}): Map<string, string[]> {
  const headers = { ...openingHeaders(KEY, "other, kurun.v1"), ...others };
  return new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value]]));
}

const KEY = openingKey();

Deno.test("an answer that does not belong to the request opens no WebSocket", async () => {
  const [, ...lines] = new TextDecoder().decode(await answerOpening("GET", asked(), "kurun.v1")).trimEnd().split("\r\n");
  const answered = new Map(lines.map((line) => [line.split(": ")[0]!.toLowerCase(), [line.split(": ")[1]!]]));
  await checkOpening(answered, KEY, "kurun.v1");
  for (
    const [name, value] of [
      ["upgrade", "h2c"],
      ["connection", "close"],
      ["sec-websocket-accept", "x"],
      ["sec-websocket-protocol", "other"],
      [
        "sec-websocket-extensions",
        "x",
      ],
    ] as const
  ) {
    await assert.rejects(checkOpening(new Map([...answered, [name, [value]]]), KEY, "kurun.v1"), OpeningError, name);
  }
});

Deno.test("a request that asks for no WebSocket, or another one, is refused", async () => {
  await answerOpening("GET", asked({ Upgrade: "WebSocket", Connection: "keep-alive, Upgrade" }), "kurun.v1");
  for (
    const wrong of [{ Upgrade: "h2c" }, { Connection: "close" }, { "Sec-WebSocket-Key": "x" }, { "Sec-WebSocket-Version": "8" }, {
      "Sec-WebSocket-Protocol": "other",
    }]
  ) {
    await assert.rejects(answerOpening("GET", asked(wrong), "kurun.v1"), OpeningError);
  }
  await assert.rejects(answerOpening("POST", asked(), "kurun.v1"), OpeningError);
});
