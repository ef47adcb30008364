import type { Connection } from "../../tunnel/mod.ts";
import { type BodyFraming, requestFraming, responseFraming } from "../../tunnel/http1/body.ts";
import { Http1Error, parseRequestHead, parseResponseHead, type ResponseHead } from "../../tunnel/http1/head.ts";
import { MAX_AWAITED, Messages } from "../../tunnel/http1/messages.ts";
import { type Rewrite, rewriteHead } from "./rewrite_head.ts";

/** After a refusal this much is taken and dropped, so that the caller reads the answer; then the connection breaks. */
const DRAIN_BYTES = 4 * 1024 * 1024;
/** Pieces are joined into one write up to this size, so that a head and a small body are one packet. */
const JOIN_BYTES = 16 * 1024;

/**
 * The connection to a program here, with the head of each request rewritten on the way. Bodies pass as they come. What cannot be read
 * in one way only gets a 400 and goes nowhere: the program might read it differently from us, and answer a request that no caller made.
 * After a switch to another protocol, bytes are bytes.
 */
export class RewritingConnection implements Connection {
  readonly #program: Connection;
  readonly #rewrite: Rewrite;
  readonly #requests: Messages;
  readonly #responses: Messages;
  /** Methods of the requests whose answers have not ended. */
  readonly #awaited: string[] = [];
  #out: Uint8Array[] = [];
  /** How many of {@link #out} belong to whole requests. */
  #outWhole = 0;
  /** A request's head was read, and its body goes on. */
  #inRequest = false;
  /** Set while the answer to an Upgrade or CONNECT decides what the bytes after it are. */
  #switching: PromiseWithResolvers<void> | undefined;
  #opaque = false;
  /** What the program answers is not HTTP/1: it passes, but nobody knows where an answer ends. */
  #answersUnknown = false;
  #answer: ResponseHead | undefined;
  #refused = false;
  /** The 400, until the caller has read it. */
  #refusal: Uint8Array | undefined;
  #dropped = 0;
  #reader: PromiseWithResolvers<Uint8Array | null> | undefined;
  /** The caller reads nothing more of the program. */
  #over = false;
  #broken: Error | undefined;

  constructor(program: Connection, rewrite: Rewrite) {
    this.#program = program;
    this.#rewrite = rewrite;
    this.#requests = new Messages("request", {
      head: (bytes, start, end) => this.#requestHead(bytes.subarray(start, end)),
      body: (bytes, start, end) => void this.#out.push(bytes.subarray(start, end)),
      end: () => this.#requestEnd(),
    });
    this.#responses = new Messages("response", {
      head: (bytes, start, end) => this.#responseHead(bytes, start, end),
      body: () => {},
      end: () => this.#responseEnd(),
    });
  }

  /** From the caller. */
  write(bytes: Uint8Array): void | Promise<void> {
    if (this.#opaque) return this.#program.write(bytes);
    if (this.#refused) return this.#drop(bytes);
    const at = this.#read(bytes, 0);
    const written = this.#flush();
    if (at === bytes.length) return written;
    return this.#writeAfterSwitch(bytes.subarray(at), written);
  }

  /** The caller has ended its direction. */
  closeWrite(): void {
    if (this.#refused) return;
    if (!this.#opaque && !this.#requests.between && !this.#inRequest) return this.#refuse(new Http1Error("it ends within its head"));
    this.#program.closeWrite();
  }

  /** To the caller. */
  read(): Promise<Uint8Array | null> {
    if (this.#broken) return Promise.reject(this.#broken);
    if (this.#over) return Promise.resolve(this.#takeRefusal());
    if (this.#opaque || this.#answersUnknown) return this.#program.read();
    const reader = this.#reader = Promise.withResolvers();
    this.#program.read().then(
      (bytes) => this.#settle(reader, bytes),
      (error) => {
        this.#switching?.resolve();
        if (this.#reader === reader) reader.reject(error);
      },
    );
    return reader.promise;
  }

  reset(cause?: Error): void {
    this.#switching?.resolve();
    this.#program.reset(cause);
  }

  #settle(reader: PromiseWithResolvers<Uint8Array | null>, bytes: Uint8Array | null): void {
    // A refusal has answered this reader; what the program says afterwards is not the caller's.
    if (this.#reader !== reader) return;
    this.#reader = undefined;
    if (bytes === null) {
      this.#switching?.resolve();
      this.#over = true;
      return reader.resolve(this.#responses.between ? this.#takeRefusal() : null);
    }
    const at = this.#follow(bytes);
    if (!this.#refused || this.#awaited.length > 0 || !this.#responses.between) return reader.resolve(bytes);
    // That was the last answer before the refusal, which comes next.
    this.#over = true;
    this.#program.reset();
    reader.resolve(bytes.subarray(0, at));
  }

  /** @returns where the last whole answer ends */
  #follow(bytes: Uint8Array): number {
    let at = 0;
    try {
      while (at < bytes.length && !this.#opaque) {
        at = this.#responses.read(bytes, at);
        if (this.#refused && this.#awaited.length === 0 && this.#responses.between) break;
      }
    } catch {
      // A program that speaks no HTTP/1 harms nobody but its caller, who reads it as it came.
      this.#answersUnknown = true;
      this.#switching?.resolve();
      if (this.#refused) this.#program.reset();
    }
    return at;
  }

  /** Reads requests into {@link #out}. @returns where it stopped: before what waits for the answer to an Upgrade, or at the end */
  #read(bytes: Uint8Array, from: number): number {
    let at = from;
    try {
      while (at < bytes.length && !(this.#switching && this.#requests.between)) at = this.#requests.read(bytes, at);
      return at;
    } catch (error) {
      this.#out.length = this.#outWhole;
      this.#refuse(error as Error);
      return bytes.length;
    }
  }

  #flush(): void | Promise<void> {
    const parts = this.#out;
    if (parts.length === 0) return;
    this.#out = [];
    this.#outWhole = 0;
    if (parts.length === 1) return this.#program.write(parts[0] as Uint8Array);
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    if (size > JOIN_BYTES) return this.#writeEach(parts);
    const joined = new Uint8Array(size);
    let to = 0;
    for (const part of parts) {
      joined.set(part, to);
      to += part.length;
    }
    return this.#program.write(joined);
  }

  async #writeEach(parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) await this.#program.write(part);
  }

  async #writeAfterSwitch(rest: Uint8Array, written: void | Promise<void>): Promise<void> {
    await written;
    await this.#switching?.promise;
    this.#switching = undefined;
    if (this.#answersUnknown) throw new Http1Error("the program's answer to an Upgrade is not HTTP/1");
    await this.write(rest);
  }

  #requestHead(bytes: Uint8Array): BodyFraming {
    const head = parseRequestHead(bytes);
    if (this.#awaited.length === MAX_AWAITED) throw new Http1Error(`more than ${MAX_AWAITED} requests wait for answers`);
    this.#out.push(rewriteHead(bytes, head, this.#rewrite));
    this.#awaited.push(head.method);
    this.#inRequest = true;
    if (head.asksUpgrade) this.#switching = Promise.withResolvers();
    return head.method === "CONNECT" ? 0 : requestFraming(head);
  }

  #requestEnd(): void {
    this.#outWhole = this.#out.length;
    this.#inRequest = false;
  }

  #responseHead(bytes: Uint8Array, start: number, end: number): BodyFraming {
    this.#answer = parseResponseHead(bytes, start, end);
    const framing = responseFraming(this.#answer, this.#awaited[0]);
    if (framing !== "opaque") return framing;
    // Only the last request can have asked: none was read behind it.
    if (!this.#switching || this.#awaited.length !== 1) throw new Http1Error("it switches to a protocol that nobody asked for");
    return 0;
  }

  #responseEnd(): void {
    const { status } = this.#answer as ResponseHead;
    if (status < 200 && status !== 101) return;
    const method = this.#awaited.shift();
    this.#opaque = status === 101 || (method === "CONNECT" && status < 300);
    if (this.#awaited.length > 0) return;
    this.#switching?.resolve();
    if (this.#requests.between) this.#switching = undefined;
  }

  /** Answers with 400: at once, or behind the answers to the requests before. */
  #refuse(error: Error): void {
    const why = error instanceof Http1Error ? error.message : `a fault of kurun's own: ${error.message}`;
    this.#refused = true;
    this.#refusal = badRequest(`kurun: this request cannot be passed on: ${why}`);
    // Of the refused request the program has a part at most, and its answer to that does not count.
    if (this.#inRequest) this.#awaited.pop();
    if (this.#awaited.length > 0 && !this.#answersUnknown) return;
    this.#over = true;
    const reader = this.#reader;
    this.#reader = undefined;
    if (this.#answersUnknown || !this.#responses.between) {
      // Within another answer a 400 would be a part of it: only a break can say that it is not whole.
      this.#refusal = undefined;
      this.#broken = error;
      reader?.reject(error);
    } else {
      reader?.resolve(this.#takeRefusal());
    }
    this.#program.reset();
  }

  #takeRefusal(): Uint8Array | null {
    const refusal = this.#refusal ?? null;
    this.#refusal = undefined;
    return refusal;
  }

  #drop(bytes: Uint8Array): void {
    this.#dropped += bytes.length;
    if (this.#dropped > DRAIN_BYTES) throw new Http1Error("the caller goes on after its request was refused");
  }
}

function badRequest(sentence: string): Uint8Array {
  const body = new TextEncoder().encode(`${sentence}\n`);
  const head = new TextEncoder().encode(
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n" +
      `Content-Length: ${body.length}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n`,
  );
  const answer = new Uint8Array(head.length + body.length);
  answer.set(head);
  answer.set(body, head.length);
  return answer;
}
