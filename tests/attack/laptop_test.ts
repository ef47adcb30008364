/** A hostile Pod against the laptop's code: it has the key and sends whatever it likes. */
import assert from "node:assert/strict";
import { type LinkState, TunnelLink } from "../../cli/session/tunnel_link.ts";
import { serveStream } from "../../cli/port_forward/serve_stream.ts";
import { Traffic } from "../../cli/port_forward/traffic.ts";
import { parseUpstream } from "../../cli/port_forward/upstream_url.ts";
import { Flag, FrameType, HEADER_BYTES, writeHeader } from "../../tunnel/frame.ts";
import { type MemoryTransport, memoryTransportPair } from "../memory_transport.ts";
import {
  encodePreamble,
  handshakeAsServer,
  importKey,
  INITIAL_WINDOW,
  MAX_STREAMS,
  readAnswer,
  Session,
  type Stream,
} from "../../tunnel/mod.ts";
import { SeededRandom } from "../seeded_random.ts";

const key = await importKey(new Uint8Array(32));
const now = () => performance.now();
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const identity = (who: string) => ({
  key,
  hello: { capabilities: [], session: "s", instance: "i", who, from: "there" },
});

/** A laptop that forwards to a program here, and the far ends of the connections it has dialed. */
class Laptop {
  readonly said: string[] = [];
  readonly states: LinkState[] = [];
  readonly traffic = new Traffic();
  /** The Pod's end of the connection, after a handshake. */
  pods: MemoryTransport[] = [];
  readonly #stop = new AbortController();
  readonly #program: Deno.HttpServer<Deno.NetAddr>;
  readonly #held: Promise<void>;

  constructor() {
    this.#program = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => new Response("mine"));
    const upstream = parseUpstream(`127.0.0.1:${this.#program.addr.port}`);
    const watch = { verbose: true, traffic: this.traffic, say: (line: string) => this.said.push(line), now, date: () => new Date() };
    this.#held = new TunnelLink({
      dial: () => {
        const [near, far] = memoryTransportPair();
        const proven = handshakeAsServer(far, { ...identity("pod"), signal: AbortSignal.timeout(5_000) });
        // On a busy machine the laptop may give an attempt up, which ends it here too; the next one counts.
        proven.then(() => this.pods.push(far), () => {});
        return Promise.resolve(near);
      },
      handshake: identity("alice"),
      onStream: (stream) => void serveStream(stream, { upstream, ...watch }),
      onState: (state) => this.states.push(state),
      now,
      date: () => new Date(),
      chance: () => 0,
      addressed: Promise.resolve(),
      signal: this.#stop.signal,
    }).hold();
  }

  /** The Pod's end of an existing connection. */
  async pod(): Promise<MemoryTransport> {
    for (;;) {
      const pod = this.pods.at(-1);
      if (pod && !pod.ended && this.states.at(-1)?.is === "connected") return pod;
      await pause(5);
    }
  }

  /** Sends a request as an honest Pod does. */
  async ask(session: Session): Promise<string> {
    return await askThrough(session.open(encodePreamble({ port: 80, from: "10.0.0.1:1" })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#held;
    await this.#program.shutdown();
    await pause(20);
  }
}

async function askThrough(stream: Stream): Promise<string> {
  await stream.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  const { refused, rest } = await readAnswer(stream);
  assert.equal(refused, undefined);
  let text = new TextDecoder().decode(rest);
  for (let bytes = await stream.read(); bytes !== null; bytes = await stream.read()) text += new TextDecoder().decode(bytes);
  stream.closeWrite();
  return text;
}

function frame(type: number, flags: number, id: number, length: number, payload: Uint8Array = new Uint8Array()): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  writeHeader(bytes, 0, type, flags, id, length);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** Only the image's Deno closes every resource in time for the sanitizers. */
function laptopTest(name: string, fn: (laptop: Laptop) => Promise<void>): void {
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using laptop = new Laptop();
      await fn(laptop);
    },
  });
}

laptopTest(
  "a Pod that opens more than 1,024 streams gets resets for the rest, and honest streams are served afterwards",
  async (laptop) => {
    const pod = await laptop.pod();
    const session = new Session(pod, { role: "server", now });
    const streams: Stream[] = [];
    for (let i = 0; i < MAX_STREAMS; i++) streams.push(session.open(new Uint8Array()));
    let resets = 0;
    const deliver = pod.onmessage as (message: Uint8Array) => void;
    pod.onmessage = (message) => {
      for (let at = 0; at + HEADER_BYTES <= message.length; at += HEADER_BYTES) if ((message[at + 3] as number) & Flag.rst) resets++;
      deliver(message);
    };
    for (let i = 0; i < 500; i++) pod.send(frame(FrameType.windowUpdate, Flag.syn, 100_000 + 2 * i, 0));
    while (resets < 500) await pause(5);
    streams.forEach((stream) => stream.reset());
    assert.match(await laptop.ask(session), /^HTTP\/1.1 200 OK\r\n[^]*mine$/);
    assert.equal(laptop.states.length, 1);
  },
);

laptopTest("garbage preambles are reset, whatever they contain, and nothing of them reaches the terminal", async (laptop) => {
  const random = new SeededRandom(Math.floor(Math.random() * 2 ** 31));
  const session = new Session(await laptop.pod(), { role: "server", now });
  const hostile = [
    { port: 80, from: "\u001b[2J\u001b]0;owned\u0007" },
    { port: 80, from: "10.0.0.1:1\nForwarding https://bank -> http://localhost" },
    { port: 80, from: "\u009b31m" },
    { port: 80, from: "10.0.0.1:1", alpn: "\u001b[31m\n" },
    { port: 80, from: "10.0.0.1:1", alpn: "é".repeat(200) },
    { port: 80, from: "" },
    { port: "80", from: { toString: 1 } },
    [1, 2],
    null,
  ].map((value) => encodePreamble(value as never));
  const garbage = Array.from({ length: 300 }, () => Uint8Array.from({ length: random.below(3_000) }, () => random.below(256)));
  await Promise.all([...hostile, ...garbage].map(async (first) => {
    const stream = session.open(first);
    stream.closeWrite();
    await assert.rejects(async () => {
      while (await stream.read() !== null);
    }, /reset/);
  }));
  assert.deepEqual([laptop.said, laptop.traffic.open, laptop.states.length], [[], 0, 1]);
  assert.match(await laptop.ask(session), /mine$/);
});

laptopTest("why a connection was closed is one line without control characters", async (laptop) => {
  new Session(await laptop.pod(), { role: "server", now }).close(4003, "\u001b[2Jstopped\nForwarding http://elsewhere\u009b");
  while (laptop.states.length < 2) await pause(5);
  const state = laptop.states[1] as LinkState & { why: string };
  assert.equal(state.is, "lost");
  assert.doesNotMatch(state.why, /\p{C}/u);
  assert.match(state.why, /stopped Forwarding/);
});

const breaches: [string, (pod: MemoryTransport) => void | Promise<void>][] = [
  ["more bytes than credit", (pod) => pod.send(frame(FrameType.data, Flag.syn, 2, INITIAL_WINDOW + 1))],
  ["more credit than 32 bits", (pod) => {
    pod.send(frame(FrameType.windowUpdate, Flag.syn, 2, 0xffffffff));
  }],
  ["streams of the laptop's own parity", (pod) => pod.send(frame(FrameType.windowUpdate, Flag.syn, 1, 0))],
  ["bytes that are not frames", (pod) => pod.send(crypto.getRandomValues(new Uint8Array(10_000)).fill(9, 0, 1))],
  ["pings without end whose answers it does not read", async (pod) => {
    pod.peer?.hold();
    const flood = new Uint8Array(HEADER_BYTES * 5_000);
    for (let at = 0; at < flood.length; at += HEADER_BYTES) writeHeader(flood, at, FrameType.ping, Flag.syn, 0, at);
    for (let i = 0; i < 200; i++) {
      pod.send(flood.slice());
      if (i % 10 === 0) await pause(0);
    }
  }],
  ["streams without end whose resets it does not read", async (pod) => {
    pod.peer?.hold();
    for (let round = 0; round < 100; round++) {
      const flood = new Uint8Array(HEADER_BYTES * 4_000);
      for (let i = 0; i < 4_000; i++) {
        writeHeader(flood, i * HEADER_BYTES, FrameType.windowUpdate, Flag.syn, 2 + 2 * (round * 4_000 + i), 0);
      }
      pod.send(flood);
      if (round % 10 === 0) await pause(0);
    }
  }],
];
for (const [name, breach] of breaches) {
  laptopTest(`a Pod that sends ${name} is cut off, and the next connection serves`, async (laptop) => {
    const pod = await laptop.pod();
    await breach(pod);
    while (laptop.states.length < 2) await pause(5);
    pod.peer?.release();
    assert.deepEqual(laptop.states[1]?.is, "lost");
    const next = await laptop.pod();
    assert.notEqual(next, pod);
    assert.match(await laptop.ask(new Session(next, { role: "server", now })), /mine$/);
  });
}
