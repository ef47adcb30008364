import type { Connection } from "../../tunnel/mod.ts";
import { concat } from "../../tunnel/bytes.ts";
import { Exchanges } from "../../tunnel/http1/exchanges.ts";
import { Http1Error, type RequestHead } from "../../tunnel/http1/head.ts";
import { type Rewrite, rewriteHead } from "./rewrite_head.ts";

/** This much is read and dropped after a refusal, so that the caller reads the answer; then the connection breaks. */
const DRAIN_BYTES = 4 * 1024 * 1024;
/** Pieces are joined into one write up to this size, so that a head and a small body are one packet. */
const JOIN_BYTES = 16 * 1024;

/**
 * The connection to the local program, with the head of each request rewritten on its way there. Bodies pass as they arrive.
 *
 * A request that two programs could read in two ways is answered with 400, and none of it passes: the program might read it differently
 * and answer a request that no caller made. After a switch to another protocol, all bytes pass unchanged.
 */
export class RewritingConnection implements Connection {
  readonly #program: Connection;
  readonly #exchanges: Exchanges<RequestHead>;
  #out: Uint8Array[] = [];
  /** How many of {@link #out} belong to whole requests. */
  #outWhole = 0;
  /** A request's head was read, and its body is still arriving. */
  #inRequest = false;
  /** Resolves when the bytes behind an Upgrade or CONNECT may go on. */
  #switched: PromiseWithResolvers<void> | undefined;
  #mayNotSwitch = false;
  /** The program does not answer in HTTP/1: its bytes pass, but where an answer ends is unknown. */
  #answersUnknown = false;
  #refused = false;
  /** The 400, until the caller has read it. */
  #refusal: Uint8Array | undefined;
  #dropped = 0;
  /** The caller reads nothing more from the program. */
  #over = false;
  #broken: Error | undefined;

  constructor(program: Connection, rewrite: Rewrite) {
    this.#program = program;
    this.#exchanges = new Exchanges({
      request: (head, bytes, start, end) => {
        this.#out.push(rewriteHead(head, bytes, start, end, rewrite));
        this.#inRequest = true;
        return head;
      },
      requestBody: (bytes, start, end) => void this.#out.push(bytes.subarray(start, end)),
      requestEnd: () => {
        this.#outWhole = this.#out.length;
        this.#inRequest = false;
      },
      answered: () => {
        if (!this.#exchanges.switching) this.#switched?.resolve();
      },
    });
  }

  write(bytes: Uint8Array): void | Promise<void> {
    if (this.#exchanges.opaque) return this.#program.write(bytes);
    if (this.#refused) {
      this.#dropped += bytes.length;
      if (this.#dropped > DRAIN_BYTES) throw new Http1Error("the caller goes on after its request was refused");
      return;
    }
    const at = this.#read(bytes);
    const written = this.#flush();
    if (at === bytes.length) return written;
    return this.#writeAfterSwitch(bytes.subarray(at), written);
  }

  closeWrite(): void {
    if (this.#refused) return;
    const { opaque, betweenRequests } = this.#exchanges;
    if (!opaque && !betweenRequests && !this.#inRequest) return this.#refuse(new Http1Error("it ends within its head"));
    this.#program.closeWrite();
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#over) return this.#lastBytes();
    if (this.#exchanges.opaque || this.#answersUnknown) return await this.#program.read();
    let bytes: Uint8Array | null = null;
    try {
      bytes = await this.#program.read();
    } catch (error) {
      this.#noSwitch();
      if (!this.#over) throw error;
    }
    // A refusal has reset the program; what it said meanwhile is not for the caller.
    if (this.#over) return this.#lastBytes();
    if (bytes === null) {
      this.#noSwitch();
      this.#over = true;
      return this.#exchanges.betweenAnswers ? this.#lastBytes() : null;
    }
    const at = this.#follow(bytes);
    if (!this.#refused || !this.#allAnswered) return bytes;
    // That was the last answer before the refusal, which comes next.
    this.#over = true;
    this.#program.reset();
    return bytes.subarray(0, at);
  }

  reset(cause?: Error): void {
    this.#noSwitch();
    this.#program.reset(cause);
  }

  /** No answer will decide any more what the bytes behind an Upgrade are. */
  #noSwitch(): void {
    this.#mayNotSwitch = true;
    this.#switched?.resolve();
  }

  get #allAnswered(): boolean {
    return this.#exchanges.awaited.length === 0 && this.#exchanges.betweenAnswers;
  }

  /** @returns where the last whole answer ends */
  #follow(bytes: Uint8Array): number {
    let at = 0;
    try {
      while (at < bytes.length && !this.#exchanges.opaque) {
        at = this.#exchanges.back(bytes, at);
        if (this.#refused && this.#allAnswered) break;
      }
    } catch {
      // A program that does not speak HTTP/1 harms only its caller, who reads it unchanged.
      this.#answersUnknown = true;
      this.#noSwitch();
      if (this.#refused) this.#program.reset();
    }
    return at;
  }

  /** Reads requests into {@link #out}. @returns where it stopped: at the end, or where bytes must wait for the answer to an Upgrade */
  #read(bytes: Uint8Array): number {
    const exchanges = this.#exchanges;
    let at = 0;
    try {
      while (at < bytes.length && !(exchanges.switching && exchanges.betweenRequests)) at = exchanges.forth(bytes, at);
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
    return this.#program.write(concat(...parts));
  }

  async #writeEach(parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) await this.#program.write(part);
  }

  async #writeAfterSwitch(rest: Uint8Array, written: void | Promise<void>): Promise<void> {
    this.#switched = Promise.withResolvers();
    await written;
    if (this.#exchanges.switching && !this.#mayNotSwitch) await this.#switched.promise;
    this.#exchanges.switching = false;
    if (this.#answersUnknown) throw new Http1Error("the program's answer to an Upgrade is not HTTP/1");
    await this.write(rest);
  }

  /** Answers with 400: at once, or behind the answers to the requests before. */
  #refuse(error: Error): void {
    const why = error instanceof Http1Error ? error.message : `a bug in kurun: ${error.message}`;
    this.#refused = true;
    this.#refusal = badRequest(`kurun: this request cannot be passed on: ${why}`);
    // The program has a part of the refused request at most, and its answer to that does not count.
    if (this.#inRequest) this.#exchanges.awaited.pop();
    if (this.#exchanges.awaited.length > 0 && !this.#answersUnknown) return;
    this.#over = true;
    // A 400 within another answer would be a part of it: only a break can say that the answer is not whole.
    if (this.#answersUnknown || !this.#exchanges.betweenAnswers) this.#broken = error;
    // This ends a pending read.
    this.#program.reset();
  }

  /** What the caller reads last: the refusal, if there is one. */
  #lastBytes(): Uint8Array | null {
    if (this.#broken) throw this.#broken;
    const refusal = this.#refusal ?? null;
    this.#refusal = undefined;
    return refusal;
  }
}

function badRequest(sentence: string): Uint8Array {
  const body = new TextEncoder().encode(`${sentence}\n`);
  const head = new TextEncoder().encode(
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n" +
      `Content-Length: ${body.length}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n`,
  );
  return concat(head, body);
}
