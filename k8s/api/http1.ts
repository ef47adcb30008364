import { Buffer } from "node:buffer";
import { type Connection, release } from "../../tunnel/mod.ts";
import type { DialedConnection } from "./dial.ts";

/** A request. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query, as they are sent. */
  readonly target: string;
  /** Without `Content-Length`, which follows from the body. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Uint8Array | undefined;
}

/** A response. The body can be read once, and must be read to its end before the connection can be reused. */
export interface HttpResponse {
  readonly status: number;
  /** All values of each name, one character a byte. Names are in lower case. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: AsyncIterable<Uint8Array>;
}

/** The connection ended or failed, or the other side sent something that is not HTTP. */
export class HttpConnectionError extends Error {
  override readonly name = "HttpConnectionError";

  /** @param kind `unanswered`: the connection ended before a byte of the response arrived, so the request may never have been seen */
  constructor(message: string, readonly kind: "unanswered" | "malformed" | "broken", options?: ErrorOptions) {
    super(message, options);
  }
}

/** The longest accepted status line and headers, in bytes. */
const MAX_HEAD = 256 * 1024;
/** Reading from the socket pauses while more than this many bytes wait. */
const HIGH_WATER = 1024 * 1024;

/**
 * A connection of HTTP/1.1 (RFC 9112) that carries one request at a time. node:https of Deno 2.6 ignores `servername` and
 * `rejectUnauthorized`, drops the body of a DELETE, and never reports a connection that ends before the response. This client behaves the
 * same on all versions, and knows whether a byte of the response arrived.
 */
export class HttpConnection {
  readonly #connection: DialedConnection;
  readonly #input: ByteReader;
  #reusable = true;

  constructor(connection: DialedConnection) {
    this.#connection = connection;
    this.#input = new ByteReader(connection);
  }

  /** Whether another request may be sent on it: it is open and silent, and the last response was read to its end. */
  get reusable(): boolean {
    return this.#reusable && this.#input.quiet;
  }

  /** Sets whether the connection keeps the process alive. */
  holdProcess(hold: boolean): void {
    this.#connection.holdProcess(hold);
  }

  /** Leaves the connection to another protocol, behind an answer of status 101. */
  takeOver(): Connection {
    const connection = this.#connection;
    const input = this.#input;
    return {
      read: () => input.takeRest() ?? connection.read(),
      write: (bytes) => connection.write(bytes),
      closeWrite: () => connection.closeWrite(),
      reset: () => connection.reset(),
    };
  }

  /** Closes the connection. Pending reads fail with the error. */
  destroy(error: Error = new HttpConnectionError("the connection was closed", "broken")): void {
    this.#reusable = false;
    this.#input.fail(error);
    this.#connection.reset();
  }

  /** Sends a request and reads the head of the response. @throws {HttpConnectionError} */
  async send(request: HttpRequest): Promise<HttpResponse> {
    this.#reusable = false;
    this.#write(request);
    let head: Head;
    do head = parseHead(await this.#input.head()); while (head.status >= 100 && head.status < 200 && head.status !== 101);
    const framing = bodyFraming(request.method, head);
    const keepAlive = framing !== Infinity && !hasToken(head.headers, "connection", "close") && head.version === "1.1";
    if (framing === 0) this.#reusable = keepAlive;
    return { status: head.status, headers: head.headers, body: this.#body(framing, keepAlive) };
  }

  #write(request: HttpRequest): void {
    // A space would end the target, and a line break the request.
    if (!/^[\x21-\x7e]+$/.test(request.target)) throw new TypeError("The target of a request has a character that it cannot have");
    const lines = [`${request.method} ${request.target} HTTP/1.1`];
    for (const [name, values] of Object.entries(request.headers)) {
      for (const value of [values].flat()) {
        // A line break in a value would start another header.
        if (/[\r\n\0]/.test(value)) throw new TypeError(`Header "${name}" contains a line break`);
        lines.push(`${name}: ${value}`);
      }
    }
    if (request.body || request.method === "POST" || request.method === "PUT") lines.push(`Content-Length: ${request.body?.length ?? 0}`);
    const bytes = Buffer.concat([Buffer.from(lines.join("\r\n") + "\r\n\r\n", "latin1"), request.body ?? Buffer.alloc(0)]);
    // A connection that breaks ends the answer too.
    (async () => await this.#connection.write(bytes))().catch(() => {});
  }

  async *#body(framing: Framing, keepAlive: boolean): AsyncGenerator<Uint8Array> {
    let whole = framing === 0;
    try {
      yield* framing === "chunked" ? this.#chunks() : this.#input.bytes(framing);
      whole = true;
      this.#reusable = keepAlive;
    } finally {
      // Unread bytes would be taken for the next response.
      if (!whole || !keepAlive) this.destroy();
    }
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    while (true) {
      const line = await this.#input.line();
      const size = parseInt(/^([0-9a-fA-F]{1,12})[ \t]*(;.*)?$/.exec(line)?.[1] ?? "", 16);
      if (Number.isNaN(size)) throw malformed("the response has a chunk without a size");
      if (size === 0) break;
      yield* this.#input.bytes(size);
      await this.#input.line();
    }
    while (await this.#input.line() !== "") { /* trailers */ }
  }
}

interface Head {
  readonly version: string;
  readonly status: number;
  readonly headers: Map<string, string[]>;
}

/** The length of a body in bytes; `Infinity` if the end of the connection ends it. */
type Framing = "chunked" | number;

function parseHead(text: string): Head {
  const [first = "", ...lines] = text.split("\r\n");
  const match = /^HTTP\/(1\.[01]) (\d{3})( |$)/.exec(first);
  if (match === null) throw malformed(`the server does not speak HTTP: it sent "${first.slice(0, 100)}"`);
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) continue;
    const name = line.slice(0, colon).toLowerCase();
    // Not trim(): the bytes of UTF-8 texts include 0xA0.
    headers.set(name, [...headers.get(name) ?? [], line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "")]);
  }
  return { version: match[1]!, status: Number(match[2]), headers };
}

/** How the end of the body is found: RFC 9112 section 6.3. */
function bodyFraming(method: string, { status, headers }: Head): Framing {
  if (method === "HEAD" || status === 204 || status === 304) return 0;
  if (hasToken(headers, "transfer-encoding", "chunked")) return "chunked";
  const length = headers.get("content-length")?.[0];
  if (length === undefined) return Infinity;
  if (!/^\d{1,15}$/.test(length)) throw malformed(`the response has an invalid Content-Length: "${length.slice(0, 50)}"`);
  return Number(length);
}

function malformed(message: string): HttpConnectionError {
  return new HttpConnectionError(message, "malformed");
}

function hasToken(headers: Map<string, string[]>, name: string, token: string): boolean {
  return (headers.get(name) ?? []).join(",").toLowerCase().split(",").some((part) => part.trim() === token);
}

/** Bytes from a connection, by line or by number. It is read also while nobody waits, so that its end is noticed, until many bytes wait. */
class ByteReader {
  readonly #connection: Connection;
  #waiting: Buffer = Buffer.alloc(0);
  #reading: Promise<Uint8Array | null> | undefined;
  #ended = false;
  #error: Error | undefined;
  #wake = () => {};
  #received = false;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#read();
  }

  /** Whether nothing waits, and the connection has neither ended nor failed. */
  get quiet(): boolean {
    return this.#waiting.length === 0 && !this.#ended && this.#error === undefined;
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }

  /** Everything up to the first empty line, without it. */
  async head(): Promise<string> {
    this.#received = this.#waiting.length > 0;
    return (await this.#until("\r\n\r\n")).slice(0, -4);
  }

  /** One line without its line break. */
  async line(): Promise<string> {
    return (await this.#until("\r\n")).slice(0, -2);
  }

  /** This number of bytes, as they arrive. `Infinity`: everything until the other side ends the connection. */
  async *bytes(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0;) {
      const chunk = this.#take(left);
      left -= chunk.length;
      if (chunk.length > 0) yield chunk;
      else if (left === Infinity && this.#ended && this.#error === undefined) return;
      else await this.#change();
    }
  }

  async #until(end: string): Promise<string> {
    for (let searched = 0;; await this.#change()) {
      const at = this.#waiting.indexOf(end, searched, "latin1");
      if (at >= 0) return this.#take(at + end.length).toString("latin1");
      if (this.#waiting.length > MAX_HEAD) throw malformed("the head of the response is too long");
      searched = Math.max(0, this.#waiting.length - end.length + 1);
    }
  }

  #take(limit: number): Buffer {
    const taken = this.#waiting.subarray(0, limit);
    this.#waiting = this.#waiting.subarray(taken.length);
    if (this.#waiting.length <= HIGH_WATER && !this.#reading && !this.#ended) this.#read();
    return taken;
  }

  /** What was read behind an answer, in as many calls as it takes; the connection is then read by somebody else. */
  takeRest(): Promise<Uint8Array | null> | undefined {
    if (this.#waiting.length > 0) {
      const rest = this.#waiting;
      this.#waiting = Buffer.alloc(0);
      return Promise.resolve(rest);
    }
    const reading = this.#reading;
    this.#reading = undefined;
    return reading;
  }

  #read(): void {
    const reading = this.#reading = this.#connection.read();
    reading.then((bytes) => {
      // Otherwise another protocol has taken it.
      if (this.#reading !== reading) return;
      this.#reading = undefined;
      if (bytes === null) this.#ended = true;
      else {
        this.#received = true;
        this.#waiting = Buffer.concat([this.#waiting, bytes]);
        release(bytes);
        if (this.#waiting.length <= HIGH_WATER) this.#read();
      }
      this.#wake();
    }, (error) => this.fail(error));
  }

  /** Waits until more has arrived. @throws {HttpConnectionError} if the connection has ended or failed */
  async #change(): Promise<void> {
    if (this.#error === undefined && !this.#ended) return await new Promise((resolve) => this.#wake = resolve);
    if (this.#error instanceof HttpConnectionError) throw this.#error;
    const when = this.#received ? "in the middle of the response" : "before a response";
    const why = this.#error === undefined ? "" : `: ${this.#error.message}`;
    throw new HttpConnectionError(`the connection ended ${when}${why}`, this.#received ? "broken" : "unanswered", { cause: this.#error });
  }
}

/** How many idle connections are kept. */
const MAX_IDLE = 8;
/** A connection that was idle for longer is closed, in milliseconds: a NAT or a proxy may have dropped it. */
const MAX_IDLE_MS = 60_000;
/** A POST is not sent on a connection that was idle for longer, in milliseconds: it could not be repeated if that fails. */
const MAX_IDLE_FOR_POST_MS = 5_000;

/** Idle connections, kept for the next requests. */
export class IdleConnections {
  readonly #idle: { readonly connection: HttpConnection; readonly identity: string; readonly since: number }[] = [];

  /** A connection of this identity that the request may use; unusable ones are closed. */
  take(identity: string, method: string): HttpConnection | undefined {
    const longest = method === "POST" ? MAX_IDLE_FOR_POST_MS : MAX_IDLE_MS;
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      const { connection, since } = idle;
      if (idle.identity === identity && connection.reusable && performance.now() - since <= longest) {
        connection.holdProcess(true);
        return connection;
      }
      connection.destroy();
    }
    return undefined;
  }

  /** Keeps a connection, or closes it if it cannot be reused or enough are kept. */
  keep(connection: HttpConnection, identity: string): void {
    if (!connection.reusable || this.#idle.length >= MAX_IDLE) return connection.destroy();
    connection.holdProcess(false);
    this.#idle.push({ connection, identity, since: performance.now() });
  }

  /** Closes all connections. */
  close(): void {
    for (const { connection } of this.#idle.splice(0)) connection.destroy();
  }
}
