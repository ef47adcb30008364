/** Tests our yamux against hashicorp's over TCP, in both roles. */
import assert from "node:assert/strict";
import {
  Session,
  type SessionEnd,
  SessionEndedError,
  type Stream,
  StreamResetError,
  type Transport,
  type TransportEnd,
} from "../tunnel/mod.ts";
import { release } from "../tunnel/read_buffers.ts";
import { findGo, goBuild } from "./cluster/go.ts";

const FOLDER = new URL("yamux/", import.meta.url).pathname;
const PROGRAM = new URL("../build/yamux", import.meta.url).pathname;
/** The initial window of hashicorp's streams; ours is smaller between our own ends. */
const WINDOW = 256 * 1024;

/** Bytes over TCP, in whatever pieces they arrive; yamux finds its frames by itself. */
class TcpTransport implements Transport {
  onmessage: ((part: Uint8Array, last: boolean) => void) | undefined;
  ondrain: (() => void) | undefined;
  onclose: ((end: TransportEnd) => void) | undefined;
  ended: TransportEnd | undefined;
  buffered = 0;
  #sending = Promise.resolve();

  constructor(readonly socket: Deno.TcpConn) {
    this.#receive();
  }

  send(given: Uint8Array): void {
    const message = given.slice();
    release(given);
    this.buffered += message.length;
    this.#sending = this.#sending.then(async () => {
      for (let at = 0; at < message.length;) at += await this.socket.write(message.subarray(at));
      this.buffered -= message.length;
      this.ondrain?.();
    }).catch(() => this.#end());
  }

  close(): void {
    this.#sending.then(() => this.destroy());
  }

  destroy(): void {
    this.#end();
  }

  async #receive(): Promise<void> {
    try {
      for (;;) {
        const bytes = new Uint8Array(64 * 1024);
        const size = await this.socket.read(bytes);
        if (size === null) break;
        this.onmessage?.(bytes.subarray(0, size), true);
      }
    } catch {
      // The end of the connection counts, however it came.
    }
    this.#end();
  }

  #end(): void {
    if (this.ended) return;
    this.ended = { code: 1006, reason: "" };
    this.socket.close();
    queueMicrotask(() => this.onclose?.(this.ended as TransportEnd));
  }
}

interface Peer extends AsyncDisposable {
  session: Session;
  ended: Promise<SessionEnd>;
  /** What the other side printed until it ended. */
  said: Promise<string>;
}

async function peer(ourRole: "client" | "server", job: string, onStream?: (stream: Stream) => void): Promise<Peer> {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const theirRole = ourRole === "client" ? "server" : "client";
  const args = [theirRole, `127.0.0.1:${listener.addr.port}`, job];
  await built;
  const child = new Deno.Command(PROGRAM, { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
  const transport = new TcpTransport(await listener.accept());
  const ended = Promise.withResolvers<SessionEnd>();
  const session = new Session(transport, {
    role: ourRole,
    now: () => performance.now(),
    initialWindow: WINDOW,
    onEnd: ended.resolve,
    ...(onStream ? { onStream } : {}),
  });
  const output = child.output();
  return {
    session,
    ended: ended.promise,
    said: output.then(({ stdout }) => new TextDecoder().decode(stdout)),
    [Symbol.asyncDispose]: async () => {
      session.destroy(new Error("the test is over"));
      try {
        child.kill("SIGKILL");
      } catch {
        // It has already ended.
      }
      await output;
    },
  };
}

const go = await findGo().catch(() => undefined);
/** Resolves when the program is built; go caches it. */
const built = go && goBuild(go, FOLDER, ["-mod=readonly"], PROGRAM, () => {});
built?.catch(() => {});

function conformanceTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, ignore: go === undefined, sanitizeOps: false, sanitizeResources: false });
}

async function echo(stream: Stream): Promise<void> {
  for (let bytes = await stream.read(); bytes !== null; bytes = await stream.read()) await stream.write(bytes.slice());
  stream.closeWrite();
}

async function roundTrip(session: Session, size: number): Promise<void> {
  const data = crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)));
  const stream = session.open(new Uint8Array());
  const sending = (async () => {
    for (let at = 0; at < size; at += data.length) await stream.write(data.slice(0, Math.min(data.length, size - at)));
    stream.closeWrite();
  })();
  let at = 0;
  for (let bytes = await stream.read(); bytes !== null; bytes = await stream.read()) {
    for (let i = 0; i < bytes.length; i += 997) assert.equal(bytes[i], data[(at + i) % data.length]);
    at += bytes.length;
  }
  assert.equal(at, size);
  await sending;
}

for (const role of ["client", "server"] as const) {
  conformanceTest(
    `as ${role}: a hundred streams of up to 3 MB that hashicorp's yamux opens come back whole, with pings before and after`,
    async () => {
      await using there = await peer(role, "drive", (stream) => void echo(stream));
      assert.equal(await there.said, "all came back\n");
    },
  );

  conformanceTest(`as ${role}: a hundred concurrent streams opened here, and one of 50 MB, come back whole`, async () => {
    await using there = await peer(role, "echo");
    await Promise.all(Array.from({ length: 100 }, (_, i) => roundTrip(there.session, i * 3_000)));
    await roundTrip(there.session, 50_000_000);
    assert.equal(there.session.streamCount, 0);
  });

  conformanceTest(`as ${role}: half-close is understood, and a ping is answered`, async () => {
    await using there = await peer(role, "echo");
    const stream = there.session.open(new TextEncoder().encode("only this"));
    stream.closeWrite();
    let got = "";
    for (let bytes = await stream.read(); bytes !== null; bytes = await stream.read()) got += new TextDecoder().decode(bytes);
    assert.equal(got, "only this");
    assert.ok(await there.session.ping() < 1_000);
  });

  conformanceTest(`as ${role}: a stream reset here is forgotten there, and others continue`, async () => {
    await using there = await peer(role, "echo");
    for (let i = 0; i < 50; i++) {
      const stream = there.session.open(new Uint8Array(1_000));
      if (i % 2) await stream.read();
      stream.reset();
    }
    await roundTrip(there.session, 1_000_000);
    assert.equal(there.session.ended, false);
  });

  conformanceTest(`as ${role}: go-away is understood`, async () => {
    await using there = await peer(role, "goaway");
    await there.session.ping();
    assert.throws(() => there.session.open(new Uint8Array()), SessionEndedError);
  });

  conformanceTest(`as ${role}: a session that hashicorp's side ends also ends here, with its streams`, async () => {
    await using there = await peer(role, "reset");
    const stream = there.session.open(new Uint8Array(10));
    await assert.rejects(async () => {
      while (await stream.read() !== null);
    }, SessionEndedError);
    await there.ended;
  });

  conformanceTest(`as ${role}: hashicorp's side refuses only the streams beyond its backlog of 256`, async () => {
    await using there = await peer(role, "lazy");
    const streams = Array.from({ length: 300 }, () => there.session.open(new Uint8Array(1)));
    await there.session.ping();
    const refused = streams.filter(({ failure }) => failure instanceof StreamResetError).length;
    assert.equal(refused, 300 - 256);
  });
}
