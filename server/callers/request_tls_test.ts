import assert from "node:assert/strict";
import { podTest } from "../../tests/server_process.ts";
import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { certificateAuthority } from "../../tests/certificate_authority.ts";
import type { CertificatePair } from "../../k8s/certificate/certificate.ts";
import { memoryTransportPair } from "../../tests/memory_transport.ts";
import { encodeAccepted, type Preamble, readPreamble, Session, type Stream } from "../../tunnel/mod.ts";
import { LiveClient } from "../control/live_client.ts";
import { OpenCallers } from "./open_callers.ts";
import { ReachCheck } from "../control/reach_check.ts";
import { openRequestPort } from "./request_port.ts";
import { tlsOfFiles } from "./tls_files.ts";

const POLL_MS = 20;
const now = new Date();
const authority = await certificateAuthority({ commonName: "the tests' authority", days: 1, now });
const stranger = await certificateAuthority({ commonName: "somebody else", days: 1, now });

function issue(): Promise<CertificatePair> {
  return authority.issue({ names: ["localhost"], days: 1, now });
}

interface Running {
  readonly port: number;
  readonly log: string[];
  readonly preambles: Preamble[];
  /** Replaces the mounted Secret, as the kubelet does. */
  rotate(pair: CertificatePair): Promise<void>;
}

/** A request port that serves TLS from a mounted Secret, and a client whose streams `onStream` serves. */
function tlsTest(
  name: string,
  { alpn = ["http/1.1"], onStream }: { alpn?: string[]; onStream?: (stream: Stream, first: Uint8Array) => unknown },
  fn: (server: Running) => Promise<void>,
): void {
  podTest(name, async () => {
    const log: string[] = [];
    const preambles: Preamble[] = [];
    const live = new LiveClient();
    if (onStream) attach(live, preambles, onStream);
    const secret = await MountedSecret.create(await issue());
    const files = await tlsOfFiles(secret.dir, alpn, (line) => log.push(line), POLL_MS);
    const server = openRequestPort({
      port: 0,
      session: "kurun-1",
      live,
      reach: new ReachCheck([]),
      callers: new OpenCallers(),
      holdMs: 50,
      tls: files.tls,
      log: (line) => log.push(line),
    });
    try {
      await fn({ port: server.port, log, preambles, rotate: (pair) => secret.put(pair) });
    } finally {
      files.stop();
      server.close();
      await Deno.remove(secret.dir, { recursive: true });
    }
  });
}

function attach(live: LiveClient, preambles: Preamble[], onStream: (stream: Stream, first: Uint8Array) => unknown): void {
  const [here, there] = memoryTransportPair();
  const clock = () => performance.now();
  new Session(there, {
    role: "client",
    now: clock,
    onStream: async (stream) => {
      const { preamble, rest } = await readPreamble(stream);
      preambles.push(preamble);
      stream.write(encodeAccepted());
      await onStream(stream, rest.length > 0 ? rest : await stream.read() ?? new Uint8Array());
    },
  });
  const hello = {
    version: 1,
    capabilities: [],
    session: "kurun-1",
    instance: "i-1",
    who: "alice",
    from: "laptop",
    nonce: new Uint8Array(32),
  };
  live.attach(new Session(here, { role: "server", now: clock }), hello as unknown as Parameters<LiveClient["attach"]>[1]);
}

/** A mounted Secret as the kubelet makes it: the files are links through `..data`, which switches to another folder atomically. */
class MountedSecret {
  #version = 0;
  private constructor(readonly dir: string) {}

  static async create(pair: CertificatePair): Promise<MountedSecret> {
    const secret = new MountedSecret(await Deno.makeTempDir());
    await secret.put(pair);
    for (const file of ["tls.crt", "tls.key"]) await Deno.symlink(`..data/${file}`, `${secret.dir}/${file}`);
    return secret;
  }

  async put({ certPem, keyPem }: CertificatePair): Promise<void> {
    const folder = `..${++this.#version}`;
    await Deno.mkdir(`${this.dir}/${folder}`);
    await Deno.writeTextFile(`${this.dir}/${folder}/tls.crt`, certPem);
    await Deno.writeTextFile(`${this.dir}/${folder}/tls.key`, keyPem);
    await Deno.symlink(folder, `${this.dir}/..data_tmp`);
    await Deno.rename(`${this.dir}/..data_tmp`, `${this.dir}/..data`);
  }
}

async function call(port: number, alpnProtocols?: string[]): Promise<{ connection: Deno.TlsConn; alpn: string | null }> {
  const offer = alpnProtocols ? { alpnProtocols } : {};
  const tcp = await Deno.connect({ hostname: "localhost", port });
  tcp.setNoDelay(true);
  const connection = await Deno.startTls(tcp, { hostname: "localhost", caCerts: [authority.certPem], ...offer });
  return { connection, alpn: (await connection.handshake()).alpnProtocol };
}

async function send(connection: Deno.TlsConn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Everything that arrives until the end, and the error in place of the end. */
async function receive(connection: Deno.TlsConn): Promise<{ got: string; error?: string }> {
  const buffer = new Uint8Array(64 * 1024);
  const chunks: string[] = [];
  try {
    for (let size = await connection.read(buffer); size !== null; size = await connection.read(buffer)) {
      chunks.push(new TextDecoder().decode(buffer.subarray(0, size)));
    }
    return { got: chunks.join("") };
  } catch (error) {
    return { got: chunks.join(""), error: (error as Error).name };
  } finally {
    connection.close();
  }
}

async function ask(port: number, text: string, alpn?: string[]): Promise<{ got: string; error?: string }> {
  const { connection } = await call(port, alpn);
  await send(connection, text);
  return await receive(connection);
}

async function until(condition: () => boolean): Promise<void> {
  const limit = performance.now() + 5_000;
  while (!condition()) {
    assert.ok(performance.now() < limit, "it did not happen within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const GET = "GET / HTTP/1.1\r\nHost: kurun\r\n\r\n";
const answer = (text: string) => (stream: Stream) => {
  stream.write(new TextEncoder().encode(text));
  stream.closeWrite();
};

tlsTest(
  "a caller's TLS is terminated at the request port, and the preamble says what it negotiated",
  { alpn: ["h2", "http/1.1"], onStream: answer("hello") },
  async ({ port, preambles }) => {
    for (const offer of [["h2", "http/1.1"], ["http/1.1"], undefined]) assert.equal((await ask(port, GET, offer)).got, "hello");
    assert.deepEqual(preambles.map(({ alpn }) => alpn), ["h2", "http/1.1", undefined]);
    assert.match(preambles[0]!.from, /^(127\.0\.0\.1|::1):\d+$/);
    assert.ok(preambles.every((preamble) => preamble.port === port));
  },
);

tlsTest("with nobody connected a caller over TLS gets the 503 and a clean end", {}, async ({ port }) => {
  const { got, error } = await ask(port, GET);
  assert.match(got, /^HTTP\/1\.1 503 [^]*nobody is connected to session kurun-1/);
  assert.equal(error, undefined);
});

tlsTest(
  "an answer that breaks in the middle is a reset over TLS too, never a clean end",
  {
    onStream: async (stream) => {
      await stream.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\nhalf"));
      setTimeout(() => stream.reset(), 30);
    },
  },
  async ({ port }) => {
    const { got, error } = await ask(port, GET);
    assert.match(got, /half$/);
    assert.equal(error, "ConnectionReset");
  },
);

tlsTest(
  "half-close passes over TLS too: the caller's end arrives, and the answer still comes",
  {
    onStream: async (stream, first) => {
      let size = first.length;
      for (let bytes = await stream.read(); bytes !== null; bytes = await stream.read()) size += bytes.length;
      answer(`got ${size}`)(stream);
    },
  },
  async ({ port }) => {
    const { connection } = await call(port);
    await send(connection, "twelve bytes");
    await connection.closeWrite();
    assert.deepEqual(await receive(connection), { got: "got 12" });
  },
);

const ends: string[] = [];
tlsTest(
  "a caller's TLS that is cut without close_notify, by a reset or a bare FIN, is a reset for the program",
  { onStream: (stream) => stream.read().then((bytes) => ends.push(String(bytes)), (error) => ends.push(error.name)) },
  async ({ port, preambles }) => {
    for (const cut of [(socket: Socket) => socket.resetAndDestroy(), (socket: Socket) => socket.end()]) {
      const ended = ends.length;
      const wire = Promise.withResolvers<Socket>();
      const between = createServer((near) => {
        const far = connect(port, "127.0.0.1");
        near.pipe(far).pipe(near);
        for (const socket of [near, far]) socket.on("error", () => {});
        wire.resolve(far);
      });
      await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
      const { connection } = await call((between.address() as AddressInfo).port);
      await send(connection, "half a requ");
      await until(() => preambles.length === ended + 1);
      cut(await wire.promise);
      await until(() => ends.length > ended);
      assert.equal(ends.at(-1), "StreamResetError");
      connection.close();
      between.close();
    }
  },
);

let written = 0;
tlsTest(
  "60 MB pass both ways inside TLS, and a slow reader slows down the writer",
  {
    onStream: async (stream, first) => {
      let size = first.length;
      while (size < 60_000_000) size += (await stream.read())?.length ?? Infinity;
      for (; written < 60_000_000; written += 50_000) await stream.write(new Uint8Array(50_000).fill(65));
      stream.closeWrite();
    },
  },
  async ({ port }) => {
    const { connection } = await call(port);
    await send(connection, "x".repeat(60_000_000));
    await until(() => written > 0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    // No more than the stream's window (8 MiB) and the system's buffers hold.
    assert.ok(written < 40_000_000, `${written} bytes went to a caller that read none`);
    assert.equal((await receive(connection)).got.length, 60_000_000);
  },
);

const first = await issue();
tlsTest(
  "a rotated Secret is served to new callers while open connections continue, and an unusable one changes only the log",
  {
    onStream: async (stream, start) => {
      await stream.write(start);
      for (let bytes = await stream.read(); bytes !== null; bytes = await stream.read()) await stream.write(bytes);
      stream.closeWrite();
    },
  },
  async ({ port, log, rotate }) => {
    const { connection: open } = await call(port);
    await send(open, "before");
    assert.equal(await open.read(new Uint8Array(6)), 6);
    await rotate(await stranger.issue({ names: ["localhost"], days: 1, now }));
    await until(() => log.length === 1);
    assert.match(log[0]!, /^the certificate has changed/);
    await assert.rejects(call(port), /UnknownIssuer/);
    await send(open, "after");
    assert.equal(await open.read(new Uint8Array(5)), 5);
    const since = log.length;
    await rotate({ certPem: first.certPem, keyPem: (await issue()).keyPem });
    await until(() => log.slice(since).some((line) => line.includes("the key does not belong to the certificate")));
    await assert.rejects(call(port), /UnknownIssuer/);
    await rotate({ certPem: "nothing", keyPem: "nothing" });
    await until(() => log.length > since + 2);
    await rotate(first);
    await until(() => log.at(-1)!.startsWith("the certificate has changed"));
    (await call(port)).connection.close();
    await new Promise((resolve) => setTimeout(resolve, 5 * POLL_MS));
    assert.equal(log.filter((line) => !line.startsWith("TLS handshake")).length, 4, log.join("\n"));
    open.close();
  },
);

tlsTest(
  "a handshake that fails is reported to the client",
  { onStream: (stream) => stream.closeWrite() },
  async ({ port, preambles }) => {
    const untrusting = Deno.connectTls({ hostname: "localhost", port, caCerts: [stranger.certPem] }).then((caller) => caller.handshake());
    await assert.rejects(untrusting, /UnknownIssuer/);
    await until(() => preambles.length === 1);
    const { from, ...preamble } = preambles[0]!;
    assert.match(from, /^127\.0\.0\.1:\d+$/);
    assert.deepEqual(preamble, { port, failed: "the caller does not trust the certificate (UnknownCA)" });
  },
);

tlsTest(
  "a failed handshake logs one line in plain words, a silent probe logs none, and the port keeps working",
  { onStream: answer("hello") },
  async ({ port, log }) => {
    const untrusting = Deno.connectTls({ hostname: "localhost", port, caCerts: [stranger.certPem] }).then((caller) => caller.handshake());
    await assert.rejects(untrusting, /UnknownIssuer/);
    await until(() => log.length === 1);
    assert.match(log[0]!, /^TLS handshake with .*:\d+: the caller does not trust the certificate \(UnknownCA\)$/);
    await assert.rejects(call(port, ["h2"]));
    await until(() => log.length === 2);
    assert.match(log[1]!, /offers none of the protocols .* --app-protocol/);
    const plain = connect(port, "127.0.0.1");
    plain.on("error", () => {});
    plain.write(GET);
    await until(() => log.length === 3);
    assert.match(log[2]!, /the caller does not speak TLS/);
    for (const leave of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]) {
      const probe = connect(port, "127.0.0.1", () => leave(probe));
      await new Promise((resolve) => probe.on("error", () => {}).resume().on("close", resolve));
    }
    assert.equal((await ask(port, GET)).got, "hello");
    assert.equal(log.length, 3);
  },
);
