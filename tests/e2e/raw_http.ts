/** Raw HTTP/1, for bytes that a client library would not send or would hide. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Upstream } from "./upstreams.ts";

const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);
const latin1 = (string: string) => Uint8Array.from(string, (character) => character.charCodeAt(0));

/** One end of a connection: bytes as text, one character each. */
export class RawConnection implements AsyncDisposable {
  readonly #socket: Socket;
  /** Everything that has arrived. */
  got = "";
  /** Whether the other side has ended or reset the connection. */
  end: "open" | "ended" | "reset" = "open";
  #changed = Promise.withResolvers<void>();

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Uint8Array) => this.#change(() => this.got += text(bytes)));
    socket.on("end", () => this.#change(() => this.end = "ended"));
    socket.on("error", () => this.#change(() => this.end = "reset"));
  }

  send(bytes: string): void {
    this.#socket.write(latin1(bytes));
  }

  /** Ends our direction. */
  close(): void {
    this.#socket.end();
  }

  /** Resets the connection. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Waits until what has arrived matches. @throws with what has arrived after 10 s */
  async waitFor(pattern: RegExp): Promise<string> {
    const until = performance.now() + 10_000;
    while (!pattern.test(this.got)) {
      if (performance.now() > until) throw new Error(`no ${pattern} in ${JSON.stringify(this.got)}, ${this.end}`);
      await Promise.race([this.#changed.promise, new Promise((resolve) => setTimeout(resolve, 100))]);
    }
    return this.got;
  }

  /** Waits until the other side has ended. @throws with what has arrived after 10 s */
  async waitForEnd(): Promise<string> {
    const until = performance.now() + 10_000;
    while (this.end === "open") {
      if (performance.now() > until) throw new Error(`no end behind ${JSON.stringify(this.got.slice(-1_000))}`);
      await Promise.race([this.#changed.promise, new Promise((resolve) => setTimeout(resolve, 100))]);
    }
    return this.got;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    return Promise.resolve();
  }

  #change(change: () => void): void {
    change();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** Connects to port 80 of an address, which may be in brackets, as in a URL. */
export function connectTo(address: string, { port = 80, allowHalfOpen = false } = {}): Socket {
  return connect({ host: address.replace(/^\[|\]$/g, ""), port, allowHalfOpen });
}

/** A caller that writes raw bytes. */
export function callRaw(address: string, port = 80): RawConnection {
  return new RawConnection(connectTo(address, { port, allowHalfOpen: true }));
}

/** A program that answers with raw bytes. */
export function serveRaw(serve: (connection: RawConnection) => Promise<void>): Promise<Upstream> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket: Socket) => {
    serve(new RawConnection(socket)).catch((error) => socket.destroy(error));
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      const stop = () => new Promise<void>((closed) => (server.close(), closed()));
      resolve({ url: `http://localhost:${port}`, [Symbol.asyncDispose]: stop });
    });
  });
}
