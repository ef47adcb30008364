/** The server and its client as processes on this machine, without a cluster. */
import { connect, type Socket } from "node:net";
import { selfSignedServerCertificate } from "../k8s/certificate/certificate.ts";

/** A process whose output is gathered while it runs. */
export class TestProcess {
  readonly #child: Deno.ChildProcess;
  /** Its exit code. */
  readonly exit: Promise<number>;
  /** Standard output and error. */
  output = "";

  constructor(args: string[]) {
    this.#child = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
    const gather = async (stream: ReadableStream<Uint8Array>) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) this.output += text;
    };
    this.exit = Promise.all([this.#child.status, gather(this.#child.stdout), gather(this.#child.stderr)]).then(([{ code }]) => code);
  }

  signal(signal: Deno.Signal): void {
    Deno.kill(this.#child.pid, signal);
  }

  /** Waits until its output matches. @throws with its output after 20 s */
  async waitFor(pattern: RegExp): Promise<void> {
    const until = performance.now() + 20_000;
    while (!pattern.test(this.output)) {
      if (performance.now() > until) throw new Error(`no ${pattern} in: ${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async end(): Promise<void> {
    try {
      Deno.kill(this.#child.pid, "SIGKILL");
    } catch {
      // It has already ended.
    }
    await this.exit;
  }
}

/** A server as it runs in the Pod, with its own session files. */
export class ServerProcess implements AsyncDisposable {
  readonly #folder: string;
  readonly #clients: TestProcess[] = [];

  private constructor(readonly process: TestProcess, readonly port: number, readonly controlPort: number, folder: string) {
    this.#folder = folder;
  }

  static async start(args: string[] = []): Promise<ServerProcess> {
    const folder = await Deno.makeTempDir({ prefix: "kurun-server-" });
    const { certPem, keyPem } = await selfSignedServerCertificate({ names: ["kurun-kurun"], days: 1, now: new Date() });
    await Deno.writeTextFile(`${folder}/tls.crt`, certPem);
    await Deno.writeTextFile(`${folder}/tls.key`, keyPem);
    await Deno.writeFile(`${folder}/key`, new Uint8Array(32).fill(3));
    const port = freePort();
    const controlPort = freePort();
    const process = new TestProcess(
      ["run", "-A", new URL("../server/main.ts", import.meta.url).pathname, "--session=kurun-1", "--instance=pod-1"]
        .concat([`--control-port=${controlPort}`, `--request-port=${port}`, `--secret-dir=${folder}`, "--verbose", ...args]),
    );
    const server = new ServerProcess(process, port, controlPort, folder);
    await process.waitFor(/control port/);
    return server;
  }

  /** A connected client: tests/tunnel_client.ts. */
  async connect(): Promise<TestProcess> {
    const program = new URL("tunnel_client.ts", import.meta.url).pathname;
    const client = new TestProcess(["run", "-A", program, String(this.controlPort), `${this.#folder}/key`]);
    this.#clients.push(client);
    await client.waitFor(/^connected$/m);
    return client;
  }

  call(): Caller {
    return new Caller(this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of [...this.#clients, this.process]) await process.end();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** A caller's raw connection, with bytes as text. */
export class Caller {
  readonly #socket: Socket;
  /** Everything that has arrived. */
  got = "";
  /** How the connection ended, once it has. */
  end: "open" | "ended" | "reset" | "refused" = "open";

  constructor(port: number) {
    this.#socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    this.#socket.on("data", (bytes: Uint8Array) => this.got += String.fromCharCode(...bytes));
    this.#socket.on("end", () => {
      if (this.end === "open") this.end = "ended";
      this.#socket.end();
    });
    this.#socket.on("error", (error: Error & { code?: string }) => this.end = error.code === "ECONNREFUSED" ? "refused" : "reset");
  }

  send(text: string): this {
    this.#socket.write(Uint8Array.from(text, (character) => character.charCodeAt(0)));
    return this;
  }

  /** Waits until what arrived matches, then clears it. @returns how long that took, in milliseconds, and what had arrived */
  async receive(pattern: RegExp, limitMs = 15_000): Promise<{ ms: number; got: string }> {
    const since = performance.now();
    while (!pattern.test(this.got)) {
      const ms = performance.now() - since;
      if (ms > limitMs || this.end !== "open") throw new Error(`no ${pattern} in ${JSON.stringify(this.got)}, ${this.end} after ${ms} ms`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const { got } = this;
    this.got = "";
    return { ms: performance.now() - since, got };
  }

  /** Waits for the connection's end. @returns how long that took, in milliseconds */
  async ended(limitMs = 15_000): Promise<number> {
    const since = performance.now();
    while (this.end === "open") {
      if (performance.now() - since > limitMs) throw new Error(`still open after ${limitMs} ms: ${JSON.stringify(this.got)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return performance.now() - since;
  }

  close(): void {
    this.#socket.destroy();
  }
}

function freePort(): number {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  return listener.addr.port;
}

/** A test of code that runs in the Pod. It needs the image's Deno: before 2.8 a socket cannot be reset. */
export function podTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, ignore: Number(Deno.version.deno.split(".")[1]) < 8, sanitizeOps: false, sanitizeResources: false });
}

/** Such a test with a server process that was started with these arguments. */
export function serverProcessTest(name: string, fn: (server: ServerProcess) => Promise<void>, args: string[] = []): void {
  podTest(name, async () => {
    await using server = await ServerProcess.start(args);
    await fn(server);
  });
}
