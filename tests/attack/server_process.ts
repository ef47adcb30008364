import { connect, type Socket } from "node:net";
import { connect as connectSecure } from "node:tls";
// @ts-types="@types/ws"
import WebSocket from "ws";
import { selfSignedServerCertificate } from "../../k8s/certificate/certificate.ts";
import { bundleServer } from "../../k8s/images/server_bundle.ts";
import { serverArgs, supervisorArgs } from "../../k8s/images/server_command.ts";
import { encodeAccepted, handshakeAsClient, importKey, readPreamble, Session, type Stream } from "../../tunnel/mod.ts";
import { type WebSocketLike, WsTransport } from "../ws_transport.ts";

const ENTRY = new URL("../../server/main.ts", import.meta.url);
const KEY = new Uint8Array(32).fill(7);
const GET = "GET /x HTTP/1.1\r\nHost: kurun\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Waits. @param ms milliseconds */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The bundled server, built once for all tests of a file. */
let bundle: Promise<Uint8Array> | undefined;

/** The Pod's Deno command, with its heap limits and permissions, for a server whose files are all in one folder. */
async function podArgs(folder: string, supervises: boolean): Promise<string[]> {
  bundle ??= bundleServer(ENTRY);
  await Deno.writeFile(`${folder}/server.js`, await bundle);
  const args = (supervises ? supervisorArgs : serverArgs)(`${folder}/server.js`);
  return args.map((arg) => arg === "--allow-read=/kurun" ? `--allow-read=${folder}` : arg);
}

/** The server as a process on this machine, run as in the Pod. */
export class ServerProcess {
  /** The number of bytes it has logged. */
  logged = 0;
  /** The beginning of its log. */
  log = "";
  readonly #child: Deno.ChildProcess;
  readonly #dir: string;
  #ended: Deno.CommandStatus | undefined;
  #read: Promise<void> = Promise.resolve();

  private constructor(child: Deno.ChildProcess, dir: string, readonly control: number, readonly port: number) {
    this.#child = child;
    this.#dir = dir;
    child.status.then((status) => this.#ended = status);
  }

  /** Starts the server. @returns once it listens */
  static async start({ tls = false, holdMs = 500, more = [] as string[] } = {}): Promise<ServerProcess> {
    const dir = await Deno.makeTempDir();
    const { certPem, keyPem } = await selfSignedServerCertificate({ names: ["localhost"], days: 1, now: new Date() });
    await Deno.writeTextFile(`${dir}/tls.crt`, certPem);
    await Deno.writeTextFile(`${dir}/tls.key`, keyPem);
    await Deno.writeFile(`${dir}/key`, KEY);
    const [control, port] = freePorts();
    const args = ["--session=kurun-1", "--instance=pod-1", `--control-port=${control}`, `--request-port=${port}`];
    args.push(`--hold-ms=${holdMs}`, `--secret-dir=${dir}`, ...(tls ? [`--tls-dir=${dir}`] : []), ...more);
    const child = new Deno.Command(Deno.execPath(), {
      args: [...await podArgs(dir, more.some((arg) => arg.startsWith("--run="))), ...args],
      env: { NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const server = new ServerProcess(child, dir, control, port);
    const listening = Promise.withResolvers<void>();
    server.#read = server.#readLog(listening.resolve);
    await listening.promise;
    return server;
  }

  /** Whether it runs. */
  get alive(): boolean {
    return this.#ended === undefined;
  }

  /** Its peak memory in MiB, as the kernel counts it for a container. */
  async peakMiB(): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.#child.pid}/status`);
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
  }

  /** The number of its open files and sockets. */
  async openFiles(): Promise<number> {
    let count = 0;
    for await (const _ of Deno.readDir(`/proc/${this.#child.pid}/fd`)) count++;
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.alive) this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#read;
    await Deno.remove(this.#dir, { recursive: true });
  }

  async #readLog(listening: () => void): Promise<void> {
    for await (const bytes of this.#child.stderr) {
      this.logged += bytes.length;
      if (this.log.length < 100_000) this.log += new TextDecoder().decode(bytes);
      if (/: control port/.test(this.log)) listening();
    }
    listening();
  }
}

/** Two ports: with one after the other, the kernel may give the same one twice. */
function freePorts(): [number, number] {
  using one = Deno.listen({ port: 0 });
  using other = Deno.listen({ port: 0 });
  return [one.addr.port, other.addr.port];
}

/** A WebSocket to the control port. */
export async function openWebSocket({ control }: Pick<ServerProcess, "control">): Promise<WebSocket> {
  const socket = new WebSocket(`wss://127.0.0.1:${control}/tunnel`, "kurun.v1", { rejectUnauthorized: false, perMessageDeflate: false });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => {});
  return socket;
}

/** Completes the handshake with the key. */
export async function prove(socket: WebSocket): Promise<{ transport: WsTransport; rest: readonly Uint8Array[] }> {
  const transport = new WsTransport(socket as unknown as WebSocketLike);
  const { rest } = await handshakeAsClient(transport, {
    key: await importKey(KEY),
    hello: { capabilities: [], session: "kurun-1", instance: "i-1", who: "alice", from: "laptop" },
    signal: AbortSignal.timeout(5_000),
  });
  return { transport, rest };
}

/** The session of an authenticated client whose streams `onStream` serves. */
export async function client(server: Pick<ServerProcess, "control">, onStream: (stream: Stream) => void): Promise<Session> {
  const { transport, rest } = await prove(await openWebSocket(server));
  // A ping of a session that ends is never answered.
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const session = new Session(transport, {
    role: "client",
    now: () => performance.now(),
    onStream,
    onEnd: (end) => ended.reject(end.error ?? new Error(`the session ended: ${end.transport.code} ${end.transport.reason}`)),
  });
  for (const message of rest) session.receive(message);
  await Promise.race([session.ping(), ended.promise]);
  return session;
}

/** Answers a caller's requests one after another; `others` serves callers that do not start like {@link GET}. */
export async function answering(stream: Stream, others?: (stream: Stream) => Promise<void>): Promise<void> {
  try {
    const { rest } = await readPreamble(stream);
    await stream.write(encodeAccepted());
    let bytes: Uint8Array | null = rest.length > 0 ? rest : await stream.read();
    if (bytes && others && !new TextDecoder().decode(bytes.subarray(0, 6)).startsWith("GET /x")) return await others(stream);
    for (; bytes !== null; bytes = await stream.read()) await stream.write(new TextEncoder().encode(OK));
    stream.closeWrite();
  } catch {
    // The caller is gone.
  }
}

/** A well-behaved caller that sends requests over and over while others attack. */
export class Caller {
  slowestMs = 0;
  answers = 0;
  failures: string[] = [];
  #asking = true;
  #done: Promise<void>;

  /** @param keepAlive whether to use one connection for all requests */
  constructor(server: ServerProcess, { tls = false, keepAlive = false } = {}) {
    this.#done = this.#ask(server, tls, keepAlive);
  }

  /** Stops the caller. */
  async stop(): Promise<void> {
    this.#asking = false;
    await this.#done;
  }

  async #ask(server: ServerProcess, tls: boolean, keepAlive: boolean): Promise<void> {
    let socket: Socket | undefined;
    while (this.#asking) {
      const started = performance.now();
      socket ??= dial(server, tls);
      const got = await answer(socket);
      if (got === OK) this.answers++;
      else this.failures.push(got);
      this.slowestMs = Math.max(this.slowestMs, performance.now() - started);
      if (!keepAlive || got !== OK) {
        socket.destroy();
        socket = undefined;
      }
      await pause(20);
    }
    socket?.destroy();
  }
}

function dial(server: ServerProcess, tls: boolean): Socket {
  const target = { port: server.port, host: "127.0.0.1", localAddress: "127.0.0.9" };
  const socket = tls ? connectSecure({ ...target, rejectUnauthorized: false } as never) as unknown as Socket : connect(target);
  return socket.on("error", () => {});
}

/** Sends one request. @returns the answer, or why there was none */
function answer(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let got = "";
    const timer = setTimeout(() => end(`nothing for 5 s, after: ${got}`), 5_000);
    const data = (bytes: Uint8Array) => {
      got += new TextDecoder().decode(bytes);
      if (got.length >= OK.length) end(got);
    };
    const close = () => end(`closed after: ${got}`);
    const end = (text: string) => {
      clearTimeout(timer);
      socket.off("data", data);
      socket.off("close", close);
      resolve(text);
    };
    socket.on("data", data);
    socket.on("close", close);
    socket.write(GET);
  });
}

/** A connection to a port of the server from an attacker's address. */
export function attack(port: number, first?: string | Uint8Array): Socket {
  const socket = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.66" });
  socket.on("error", () => {});
  if (first !== undefined) socket.write(first);
  return socket;
}

/** A test of the process. Needs the image's Deno and /proc. */
export function attackTest(name: string, fn: () => Promise<void>): void {
  const ignore = Number(Deno.version.deno.split(".")[1]) < 8 || Deno.build.os !== "linux";
  Deno.test({ name, ignore, sanitizeOps: false, sanitizeResources: false, fn });
}
