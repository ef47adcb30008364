import assert from "node:assert/strict";
import { podTest } from "../tests/server_process.ts";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { connect as connectSecure } from "node:tls";
// @ts-types="@types/ws"
import WebSocket from "ws";
import { selfSignedServerCertificate } from "../k8s/certificate/certificate.ts";
import {
  encodeAccepted,
  encodeRefused,
  handshakeAsClient,
  type HandshakeOptions,
  importKey,
  readPreamble,
  Session,
  type SessionEnd,
  type Stream,
} from "../tunnel/mod.ts";
import { type WebSocketLike, WsTransport } from "../tests/ws_transport.ts";
import { openControlPort } from "./control/control_port.ts";
import { LiveClient } from "./control/live_client.ts";
import { OpenCallers } from "./callers/open_callers.ts";
import { ReachCheck } from "./control/reach_check.ts";
import { openRequestPort } from "./callers/request_port.ts";

const HOLD_MS = 300;
const KEY = new Uint8Array(32).fill(3);

/** A test that runs only on the image's Deno: before 2.8 sockets cannot be reset. */
function serverTest(name: string, fn: (server: Running) => Promise<void>): void {
  podTest(name, async () => {
    const server = await start();
    try {
      await fn(server);
    } finally {
      server.live.session?.destroy(new Error("the test is over"));
      server.control.close();
      server.request.close();
    }
  });
}

interface Running {
  live: LiveClient;
  control: Deno.TlsListener;
  request: { close(): void };
  port: number;
  log: string[];
}

async function start(): Promise<Running> {
  const live = new LiveClient();
  const log: string[] = [];
  const reach = new ReachCheck([]);
  const { certPem: cert, keyPem: key } = await selfSignedServerCertificate({ names: ["kurun-kurun"], days: 1, now: new Date() });
  const request = openRequestPort({
    port: 0,
    session: "kurun-1",
    live,
    reach,
    callers: new OpenCallers(),
    holdMs: HOLD_MS,
    log: (line) => log.push(line),
  });
  const control = openControlPort({
    port: 0,
    cert,
    key,
    live,
    reach,
    log: (line) => log.push(line),
    handshake: { ...await identity("kurun-server"), key: await importKey(KEY) },
  });
  return { live, control, request, port: request.port, log };
}

async function identity(instance: string, who = "alice", keyBytes = KEY): Promise<Omit<HandshakeOptions, "signal">> {
  return {
    key: await importKey(keyBytes),
    hello: { capabilities: [], session: "kurun-1", instance, who, from: "laptop" },
  };
}

async function openWebSocket({ control }: Running, path = "/tunnel"): Promise<WsTransport> {
  const { port } = control.addr;
  const socket = new WebSocket(`wss://127.0.0.1:${port}${path}`, "kurun.v1", { rejectUnauthorized: false, perMessageDeflate: false });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return new WsTransport(socket as unknown as WebSocketLike);
}

/** A proven client whose streams `onStream` serves. */
async function client(
  server: Running,
  onStream: (stream: Stream) => void,
  { instance = "i-1", who = "alice" } = {},
): Promise<{ session: Session; ended: Promise<SessionEnd> }> {
  const transport = await openWebSocket(server);
  const { rest } = await handshakeAsClient(transport, { ...await identity(instance, who), signal: AbortSignal.timeout(2_000) });
  const ended = Promise.withResolvers<SessionEnd>();
  const session = new Session(transport, { role: "client", now: () => performance.now(), onStream, onEnd: ended.resolve });
  for (const message of rest) session.receive(message);
  await session.ping();
  return { session, ended: ended.promise };
}

/** Accepts a stream and reads its first bytes, which may arrive with the preamble. */
async function request(stream: Stream): Promise<{ from: string; text: string }> {
  const { preamble: { from }, rest } = await readPreamble(stream);
  stream.write(encodeAccepted());
  return { from, text: new TextDecoder().decode(rest.length > 0 ? rest : await stream.read() ?? undefined) };
}

/** Answers each request's first bytes with `answer`. */
function answering(answer: string): (stream: Stream) => void {
  return async (stream) => {
    await request(stream);
    stream.write(new TextEncoder().encode(answer));
    stream.closeWrite();
  };
}

/** Sends text to the request port, and reads until the connection ends, cleanly or with an error code. */
function call(
  server: Running,
  text: string,
  { end = false, on = (_: Socket) => {} } = {},
): Promise<{ got: string; error?: string; ms: number }> {
  const started = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    let got = "";
    let error: string | undefined;
    socket.on("data", (bytes: Uint8Array) => got += new TextDecoder().decode(bytes));
    socket.on("error", (cause: Error & { code?: string }) => error = cause.code ?? cause.message);
    socket.on("end", () => socket.end());
    socket.on("close", () => resolve({ got, ms: performance.now() - started, ...(error ? { error } : {}) }));
    socket.write(text);
    if (end) socket.end();
    on(socket);
  });
}

const GET = "GET /x HTTP/1.1\r\nHost: kurun\r\n\r\n";
const REVIEW = "POST /mutate HTTP/1.1\r\nHost: kurun\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

serverTest("a caller's request reaches the client, which sees who called, and the answer comes back", async (server) => {
  let from = "";
  await client(server, async (stream) => {
    from = (await request(stream)).from;
    stream.write(new TextEncoder().encode(OK));
    stream.closeWrite();
  });
  assert.equal((await call(server, GET)).got, OK);
  assert.match(from, /127\.0\.0\.1:\d+$/);
});

serverTest("with nobody connected a request waits for the hold and gets a 503 with one sentence", async (server) => {
  const { got, ms } = await call(server, GET);
  assert.match(got, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
  assert.match(got, /kurun: nobody is connected to session kurun-1/);
  assert.ok(!/retry-after/i.test(got), "Retry-After makes the API server wait its whole timeout");
  assert.ok(ms >= HOLD_MS - 20 && ms < HOLD_MS + 1_000, `${ms} ms`);
});

serverTest("a client that connects within the hold answers the request that waited", async (server) => {
  const answer = call(server, GET);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await client(server, answering(OK));
  assert.equal((await answer).got, OK);
});

serverTest("a JSON request's refusal is a v1.Status, so that kubectl shows the sentence", async (server) => {
  const { got } = await call(server, REVIEW);
  const status = JSON.parse(got.slice(got.indexOf("\r\n\r\n") + 4));
  assert.equal(status.kind, "Status");
  assert.equal(status.code, 503);
  assert.match(status.message, /nobody is connected/);
});

serverTest("the large body of a refused request is read, so that its caller reads the answer and not a reset", async (server) => {
  const body = "x".repeat(1_000_000);
  const { got, error } = await call(server, `POST / HTTP/1.1\r\nHost: k\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  assert.match(got, /^HTTP\/1\.1 503/);
  assert.equal(error, undefined);
});

serverTest("an upstream that refuses is a 502 with the reason, and the tunnel stays open", async (server) => {
  await client(server, async (stream) => {
    await readPreamble(stream);
    stream.write(encodeRefused("http://localhost:8080 refused the connection"));
    stream.closeWrite();
  });
  for (let i = 0; i < 2; i++) {
    const { got } = await call(server, GET);
    assert.match(got, /^HTTP\/1\.1 502 Bad Gateway/);
    assert.match(got, /kurun: http:\/\/localhost:8080 refused the connection/);
  }
});

serverTest("an upstream that breaks or ends before its answer is a 502", async (server) => {
  let breaks = true;
  await client(server, async (stream) => {
    await request(stream);
    if (breaks) stream.reset();
    else stream.closeWrite();
  });
  assert.match((await call(server, GET)).got, /^HTTP\/1\.1 502[^]*reset the connection before it answered/);
  breaks = false;
  assert.match((await call(server, GET)).got, /^HTTP\/1\.1 502[^]*closed the connection without an answer/);
});

serverTest("an answer that breaks in the middle is a reset, never a clean end", async (server) => {
  await client(server, async (stream) => {
    await request(stream);
    stream.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\nhalf"));
    setTimeout(() => stream.reset(), 30);
  });
  const { got, error } = await call(server, GET);
  assert.match(got, /half$/);
  assert.equal(error, "ECONNRESET");
});

serverTest("a client that is lost while its answer is awaited is a 503 that says the request may have been delivered", async (server) => {
  const { session } = await client(server, async (stream) => {
    await request(stream);
    setTimeout(() => session.destroy(new Error("Wi-Fi")), 10);
  });
  assert.match((await call(server, GET)).got, /^HTTP\/1\.1 503[^]*may have been delivered/);
});

serverTest("an HTTP/2 caller that asks nothing gets SETTINGS and GOAWAY with the sentence; other protocols get a close", async (server) => {
  const { got } = await call(server, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  assert.match(got, /kurun: nobody is connected/);
  assert.deepEqual([got.charCodeAt(3), got.charCodeAt(9 + 3)], [4, 7]);
  assert.equal((await call(server, "\x00\x01raw")).got, "");
});

serverTest("node's HTTP/2 client fails each of its streams, and reads the sentence in GOAWAY", async (server) => {
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  const goAway = Promise.withResolvers<unknown[]>();
  session.once("goaway", (code, last, data) => goAway.resolve([code, last, String(data)]));
  session.on("error", () => {});
  const streams = Array.from({ length: 5 }, async () => {
    const stream = session.request({ ":path": "/x", ":method": "POST" });
    const answered: unknown[] = [];
    stream.on("response", (headers) => answered.push(headers)).on("data", (part) => answered.push(part)).on("error", () => {});
    stream.end("body");
    await new Promise((resolve) => stream.once("close", resolve));
    return answered;
  });
  const sentence = "kurun: nobody is connected to session kurun-1: its kurun port-forward has ended or lost the network";
  assert.deepEqual(await goAway.promise, [2, 0x7fff_ffff, sentence]);
  assert.deepEqual(await Promise.all(streams), [[], [], [], [], []]);
  session.destroy();
});

serverTest("a caller that leaves resets its stream at the client", async (server) => {
  const left = Promise.withResolvers<unknown>();
  await client(server, async (stream) => {
    await request(stream);
    stream.read().then(left.resolve, left.resolve);
  });
  call(server, GET, { on: (socket) => setTimeout(() => socket.resetAndDestroy(), 30) });
  assert.match(String(await left.promise), /reset/);
});

serverTest("half-close passes: the caller's end arrives, and the answer still comes", async (server) => {
  await client(server, async (stream) => {
    const { rest } = await readPreamble(stream);
    let size = rest.length;
    stream.write(encodeAccepted());
    for (let bytes = await stream.read(); bytes !== null; bytes = await stream.read()) size += bytes.length;
    stream.write(new TextEncoder().encode(`got ${size}`));
    stream.closeWrite();
  });
  assert.equal((await call(server, "twelve bytes", { end: true })).got, "got 12");
});

serverTest("a peer without the key is refused, and the live client's requests continue", async (server) => {
  const { session } = await client(server, answering(OK));
  const transport = await openWebSocket(server);
  const stranger = handshakeAsClient(transport, {
    ...await identity("i-2", "mallory", new Uint8Array(32)),
    signal: AbortSignal.timeout(2_000),
  });
  await assert.rejects(stranger, /the proof of the session's key is missing or wrong/);
  assert.equal(session.ended, false);
  assert.equal((await call(server, GET)).got, OK);
  assert.match(server.log.join("\n"), /^peer 127\.0\.0\.1:\d+ was rejected: /m);
});

serverTest("a TLS handshake with the control port that fails is logged with the peer's address", async (server) => {
  const socket = connect(server.control.addr.port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\n\r\n");
  await new Promise((resolve) => socket.on("error", () => {}).resume().once("close", resolve));
  while (server.log.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.match(server.log[0]!, /^TLS handshake with 127\.0\.0\.1:\d+: /);
});

serverTest("silent peers are cut after 3 s, and the client is admitted immediately however many there are", async (server) => {
  const started = performance.now();
  const silent = await Promise.all(Array.from({ length: 8 }, () => openWebSocket(server)));
  const closed = new Promise((resolve) => silent[7]!.onclose = resolve);
  await client(server, answering(OK));
  assert.ok(performance.now() - started < 1_500);
  assert.equal((await call(server, GET)).got, OK);
  await closed;
  assert.ok(performance.now() - started < 4_500);
});

serverTest("a newer client replaces the older, which is told who replaced it; a client that reconnects replaces itself", async (server) => {
  const first = await client(server, answering(OK));
  const again = await client(server, answering(OK));
  assert.equal((await first.ended).transport.code, 4000);
  await client(server, answering(OK), { instance: "i-2", who: "bob" });
  const { transport } = await again.ended;
  assert.deepEqual([transport.code, transport.reason], [4001, "replaced by bob from laptop"]);
  assert.equal((await call(server, GET)).got, OK);
});

serverTest("200 concurrent callers are not delayed by one that does not read", async (server) => {
  await client(server, async (stream) => {
    const head = (await request(stream)).text;
    try {
      if (head.startsWith("GET /big")) { for (let i = 0; i < 10_000; i++) await stream.write(new Uint8Array(64 * 1024)); }
      await stream.write(new TextEncoder().encode(OK));
      stream.closeWrite();
    } catch {
      // The caller has gone.
    }
  });
  const stuck = connect({ port: server.port, host: "127.0.0.1" });
  stuck.pause();
  stuck.write("GET /big HTTP/1.1\r\n\r\n");
  stuck.on("error", () => {});
  await new Promise((resolve) => setTimeout(resolve, 200));
  const answers = await Promise.all(Array.from({ length: 200 }, () => call(server, GET)));
  assert.ok(answers.every(({ got }) => got === OK));
  stuck.destroy();
});

serverTest("no request to the control port ends the server, whatever its target", async (server) => {
  await client(server, answering(OK));
  for (const target of ["//", "/%", "*", "http://[", "/tunnel/../x"]) {
    const { port } = server.control.addr;
    const socket = connectSecure({ port, host: "127.0.0.1", rejectUnauthorized: false });
    socket.on("error", () => {}).resume();
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    await new Promise((resolve) => socket.once("close", resolve));
  }
  assert.equal((await call(server, GET)).got, OK);
});

serverTest("the control port answers whether a client is connected, and since when, without a name", async (server) => {
  const before = new Date();
  assert.deepEqual(await getJson(server, "/client"), { connected: false, since: null });
  const { session, ended } = await client(server, () => {});
  const here = await getJson(server, "/client") as { connected: boolean; since: string };
  assert.deepEqual(Object.keys(here), ["connected", "since"]);
  assert.ok(here.connected && new Date(here.since) >= before, JSON.stringify(here));
  session.destroy(new Error("killed"));
  await ended;
  let gone = here;
  for (let tries = 0; gone.connected && tries < 200; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    gone = await getJson(server, "/client") as typeof here;
  }
  assert.equal(gone.connected, false);
  assert.ok(gone.since > here.since, `${gone.since} after ${here.since}`);
});

serverTest("a client that was offline while another took over the session is told who did, and does not take it back", async (server) => {
  const first = await client(server, () => {}, { instance: "i-1" });
  first.session.destroy(new Error("the network broke"));
  await first.ended;
  const second = await client(server, () => {}, { instance: "i-2", who: "bob" });
  const transport = await openWebSocket(server);
  await handshakeAsClient(transport, { ...await identity("i-1"), signal: AbortSignal.timeout(2_000) });
  const end = Promise.withResolvers<SessionEnd>();
  new Session(transport, { role: "client", now: () => performance.now(), onEnd: end.resolve });
  const { transport: { code, reason } } = await end.promise;
  assert.deepEqual([code, reason], [4001, "replaced by bob from laptop"]);
  await second.session.ping();
});

/** The answer of a path of the control port. */
async function getJson({ control }: Running, path: string): Promise<unknown> {
  const { get } = await import("node:https");
  const { port } = control.addr;
  return await new Promise((resolve, reject) => {
    get({ port, host: "127.0.0.1", path, rejectUnauthorized: false }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve(JSON.parse(text));
    }).on("error", reject);
  });
}

serverTest("/healthz is answered, and no path but /tunnel is a tunnel", async (server) => {
  const { port } = server.control.addr;
  const { Agent, get } = await import("node:https");
  const status = await new Promise((resolve) => {
    get({ port, host: "127.0.0.1", path: "/healthz", rejectUnauthorized: false, agent: new Agent() }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
  });
  assert.equal(status, 200);
  await assert.rejects(openWebSocket(server, "/other"));
});
