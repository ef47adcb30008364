/**
 * Fuzzes the tunnel: hostile frames, hostile handshakes, and two honest sessions whose users do anything in any order. Each runs for two
 * seconds; KURUN_FUZZ_SECONDS=3600 makes that longer, and KURUN_FUZZ_SEED=N reproduces a finding.
 */
import assert from "node:assert/strict";
import { type MemoryTransport, memoryTransportPair } from "./memory_transport.ts";
import {
  handshakeAsServer,
  HandshakeError,
  importKey,
  INITIAL_WINDOW,
  Session,
  SessionEndedError,
  type Stream,
  StreamResetError,
} from "../tunnel/mod.ts";
import { HEADER_BYTES, writeHeader } from "../tunnel/frame.ts";
import { ProtocolError } from "../tunnel/errors.ts";
import { SeededRandom } from "./seeded_random.ts";

const DAILY_SECONDS = 2;
const SECONDS = Number(Deno.env.get("KURUN_FUZZ_SECONDS") ?? DAILY_SECONDS);
const ONE_SEED = Deno.env.get("KURUN_FUZZ_SEED");
const now = () => performance.now();
const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

/** Runs `attempt` with one seed after another until the time is over. A failure names its seed. */
function fuzz(name: string, attempt: (random: SeededRandom) => Promise<void>): void {
  Deno.test(name, async () => {
    const until = now() + SECONDS * 1000;
    const first = ONE_SEED ? Number(ONE_SEED) : Math.floor(Math.random() * 2 ** 31);
    let seed = first;
    do {
      try {
        await attempt(new SeededRandom(seed));
      } catch (cause) {
        throw new Error(`KURUN_FUZZ_SEED=${seed} finds: ${(cause as Error).stack}`, { cause });
      }
      seed++;
    } while (!ONE_SEED && now() < until);
    if (SECONDS > DAILY_SECONDS) Deno.stderr.writeSync(new TextEncoder().encode(`${name}: seeds ${first} to ${seed - 1}\n`));
  });
}

/** A frame that is often almost valid. */
function hostileFrame(random: SeededRandom): Uint8Array {
  const type = random.chance(0.95) ? random.below(4) : random.below(256);
  const flags = random.pick([0, 0, 0, 1, 1, 2, 4, 8, 5, 9, 13, 15, random.below(65536)]);
  const id = random.pick([0, 1, 1, 1, 3, 5, 2, 4, 1 + 2 * random.below(2_000), random.below(2 ** 32)]);
  const lengths = [0, 1, 100, INITIAL_WINDOW, INITIAL_WINDOW + 1, random.below(70_000), 0xffffffff, random.below(2 ** 32)];
  const length = random.pick(lengths);
  const payload = type === 0 ? Math.min(length, random.pick([length, 0, 10, 70_000])) : 0;
  const frame = new Uint8Array(HEADER_BYTES + Math.min(payload, 200_000));
  writeHeader(frame, 0, type, flags, id, length);
  if (random.chance(0.02)) frame[0] = 1;
  return frame;
}

/** Sends bytes in pieces of random size. */
function sendSplit(random: SeededRandom, wire: MemoryTransport, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const size = random.chance(0.5) ? bytes.length - at : 1 + random.below(bytes.length - at);
    wire.send(bytes.slice(at, at + size));
    at += size;
  }
}

fuzz(
  "hostile frames in any split at worst end their session with a typed error, hold no more than the windows, and affect no other session",
  async (random) => {
    const [wire, theirs] = memoryTransportPair();
    const [goodWire, goodTheirs] = memoryTransportPair();
    const streams: Stream[] = [];
    let error: Error | undefined;
    const victim = new Session(theirs, {
      role: "server",
      now,
      onStream: (stream) => streams.push(stream),
      onEnd: (end) => error = end.error,
    });
    const good = new Session(goodWire, { role: "client", now });
    new Session(goodTheirs, { role: "server", now, onStream: async (stream) => void stream.write((await stream.read()) as Uint8Array) });
    for (let i = 0; i < 50 && !victim.ended; i++) {
      sendSplit(random, wire, hostileFrame(random));
      if (random.chance(0.2)) streams.at(-1)?.read().catch(() => {});
      if (random.chance(0.1)) streams.at(-1)?.reset();
      await Promise.resolve();
    }
    await turn();
    assert.ok(error === undefined || error instanceof ProtocolError, String(error));
    assert.ok(victim.streamCount <= 1024 && victim.budget.granted <= 1024 * INITIAL_WINDOW + 32 * 1024 * 1024);
    assert.equal((await good.open(new Uint8Array([1, 2, 3])).read())?.length, 3);
    victim.destroy(new Error("over"));
    good.destroy(new Error("over"));
    await turn();
    assert.equal(victim.budget.granted, 0);
  },
);

const key = await importKey(new Uint8Array(32));

fuzz("nothing but the right proof is a handshake", async (random) => {
  const [wire, theirs] = memoryTransportPair();
  const result = handshakeAsServer(theirs, {
    key,
    hello: { capabilities: [], session: "s", instance: "i", who: "server", from: "pod" },
    signal: AbortSignal.any([]),
  });
  result.catch(() => {});
  const hello = JSON.stringify({
    version: random.chance(0.9) ? 1 : random.below(9),
    capabilities: random.pick([[], ["x"], [1], "no", null, Array(99).fill("x")]),
    session: random.pick(["s", "s", "s", "other", "", 5]),
    instance: random.pick(["a", "b\n", "x".repeat(300)]),
    who: random.pick(["alice", "\u001b[31m", "x".repeat(300)]),
    from: random.pick(["here", null]),
    nonce: random.pick([btoa("x".repeat(32)), "short", 7]),
  });
  for (let i = 0; i < 3; i++) {
    const bytes = i === 0 && random.chance(0.8)
      ? new TextEncoder().encode(hello)
      : new Uint8Array(random.pick([0, 1, 32, 33, 4096, 4097, 9000]));
    if (i > 0 || !random.chance(0.8)) { for (let at = 0; at < bytes.length; at++) bytes[at] = random.below(256); }
    wire.send(bytes);
    await turn();
  }
  wire.destroy();
  await assert.rejects(result, HandshakeError);
});

/** What one side writes into a stream so that the other can check it: byte n is n modulo 251. */
function pattern(from: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (from + i) % 251);
}

/** What one side has done with its direction of a stream. */
interface Direction {
  sent: number;
  /** Whether its writer has ended it; then its reader must receive everything. */
  whole: boolean;
}

/** A pause of random length: none, one turn of the event loop, or milliseconds. */
async function hesitate(random: SeededRandom): Promise<void> {
  if (random.chance(0.3)) await (random.chance(0.8) ? turn() : new Promise((resolve) => setTimeout(resolve, random.below(5))));
}

async function writeAnything(random: SeededRandom, stream: Stream, direction: Direction): Promise<void> {
  for (let i = random.below(6); i >= 0; i--) {
    const bytes = pattern(direction.sent, random.pick([0, 1, 100, 5_000, 70_000, 200_000]));
    await stream.write(bytes);
    direction.sent += bytes.length;
    if (random.chance(0.1)) return stream.reset();
    await hesitate(random);
  }
  direction.whole = true;
  stream.closeWrite();
}

async function readAnything(random: SeededRandom, stream: Stream, direction: () => Direction): Promise<void> {
  let got = 0;
  await hesitate(random);
  for (let bytes = await stream.read(); bytes !== null; bytes = await stream.read()) {
    assert.deepEqual(bytes, pattern(got, bytes.length));
    got += bytes.length;
    if (random.chance(0.05)) return stream.reset();
    await hesitate(random);
  }
  assert.deepEqual({ sent: got, whole: true }, direction());
}

/** Passes each message on to its session in pieces of random size, as a transport may. */
function split(random: SeededRandom, wire: MemoryTransport): void {
  const deliver = wire.onmessage as (message: Uint8Array) => void;
  wire.onmessage = (message) => {
    let at = 0;
    while (random.chance(0.5) && at < message.length) {
      const size = random.pick([1, 5, 11, 12, 13, random.below(message.length)]);
      deliver(message.slice(at, at + size));
      at += size;
    }
    if (at < message.length) deliver(message.slice(at));
  };
}

/** Waits for all jobs. @throws if none finishes for ten seconds */
async function allDone(jobs: readonly Promise<void>[]): Promise<void> {
  for (let done = 0; done < jobs.length; done++) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((_, reject) => timer = setTimeout(reject, 10_000, new Error("some job waits forever")));
    await Promise.race([jobs[done], late]).finally(() => clearTimeout(timer));
  }
}

fuzz("two honest sessions carry every byte in order, whatever their users do, and nobody waits forever", async (random) => {
  const wires = memoryTransportPair();
  const jobs: Promise<void>[] = [];
  const directions = new Map<string, Direction>();
  const use = (stream: Stream, side: number, sent: number) => {
    const mine: Direction = { sent, whole: false };
    directions.set(`${stream.id} from ${side}`, mine);
    const theirs = () => directions.get(`${stream.id} from ${1 - side}`) as Direction;
    for (const job of [writeAnything(random, stream, mine), readAnything(random, stream, theirs)]) {
      const judged = job.catch((error) => assert.ok(error instanceof StreamResetError || error instanceof SessionEndedError, error.stack));
      // It is awaited later; until then a failure must not end the process without naming the seed.
      judged.catch(() => {});
      jobs.push(judged);
    }
  };
  // Windows grow with round trips and shrink after idle seconds; this clock makes both happen within milliseconds.
  let leap = 0;
  const leaping = () => now() + leap;
  const sessions = wires.map((wire, side) =>
    new Session(wire, { role: side ? "server" : "client", now: leaping, onStream: (stream) => use(stream, side, 0) })
  );
  for (const wire of wires) split(random, wire);
  const hesitating = setInterval(() => {
    const wire = random.pick(wires);
    wire.hold();
    setTimeout(() => wire.release(), random.below(3));
    if (random.chance(0.1)) leap += random.below(2_000);
    if (random.chance(0.1)) void random.pick(sessions).ping();
  }, 1);
  try {
    const endsEarly = random.chance(0.2);
    for (let i = 0; i < 10 && !sessions.some(({ ended }) => ended); i++) {
      const side = random.below(2);
      const first = random.pick([0, 1, 3_000, INITIAL_WINDOW]);
      use((sessions[side] as Session).open(pattern(0, first)), side, first);
      if (endsEarly && random.chance(0.1)) random.pick(sessions).destroy(new Error("cut"));
      if (random.chance(0.3)) await turn();
    }
    await allDone(jobs);
  } finally {
    clearInterval(hesitating);
  }
  for (const wire of wires) wire.release();
  await turn();
  if (sessions.every(({ ended }) => !ended)) await Promise.all(sessions.map((session) => session.ping()));
  assert.equal(sessions[0]?.ended, sessions[1]?.ended);
  assert.deepEqual(sessions.map(({ streamCount }) => streamCount), [0, 0]);
  assert.deepEqual(sessions.map(({ budget }) => budget.granted), [0, 0]);
  sessions[0]?.destroy(new Error("over"));
  await turn();
});
