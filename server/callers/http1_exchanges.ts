import { type BodyFraming, requestFraming, responseFraming } from "../../tunnel/http1/body.ts";
import { Http1Error, parseRequestHead, parseResponseHead, type RequestHead } from "../../tunnel/http1/head.ts";
import { MAX_AWAITED, Messages } from "../../tunnel/http1/messages.ts";
import type { KeptBody } from "./kept_body.ts";

/** Of a head that has not ended this much is kept, to know how to say no. */
const HEAD_BYTES = 8 * 1024;

/** A request whose answer has not ended. */
export interface AwaitedRequest {
  readonly method: string;
  /** Whether its body or what it takes is JSON. */
  readonly isJson: boolean;
  /** Whether all of it has arrived, or its caller waits for `100 Continue` before it sends more. */
  readonly whole: boolean;
  /** Its body, where that is kept and has arrived whole. */
  readonly body: Uint8Array | undefined;
}

/** Asked whether a request's body is to be kept. @returns what keeps it, where it is */
export type KeepBody = (head: RequestHead) => KeptBody | undefined;

/**
 * Follows the exchanges of one HTTP/1 connection, so that at any moment it is known whether a caller can be told something between two
 * answers. It never changes, holds or delays a byte; what it cannot read in one way only, it does not follow any further.
 */
export class Http1Exchanges {
  readonly #keepBody: KeepBody;
  readonly #awaited: Request[] = [];
  readonly #requests: Messages;
  readonly #responses: Messages;
  /** The connection's first bytes, until a head among them was read. */
  #first = new Uint8Array();
  #headSeen = false;
  #lost = false;
  #upgrading = false;
  #status = 0;

  constructor(keepBody: KeepBody) {
    this.#keepBody = keepBody;
    this.#requests = new Messages("request", {
      head: (bytes, start, end) => this.#requestHead(bytes, start, end),
      body: (bytes, start, end) => this.#awaited.at(-1)?.take(bytes, start, end),
      end: () => this.#requestEnd(),
    });
    this.#responses = new Messages("response", {
      head: (bytes, start, end) => this.#responseHead(bytes, start, end),
      body: () => {},
      end: () => this.#responseEnd(),
    });
  }

  /** Whether the connection cannot be followed: what it carries is not, or no longer, HTTP/1 that is read in one way only. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Up to 8 KiB of the connection's first bytes, where no head could be read. */
  get first(): Uint8Array {
    return this.#first;
  }

  /** Whether an answer has begun that has not ended. */
  get answering(): boolean {
    return !this.#responses.between;
  }

  /** Whether a request has begun or waits for its answer. */
  get asked(): boolean {
    return this.#awaited.length > 0 || !this.#requests.between;
  }

  /** The request whose answer is the next, once its head is whole. */
  get next(): AwaitedRequest | undefined {
    return this.#awaited[0];
  }

  /** Bytes from the caller. */
  forth(bytes: Uint8Array): void {
    this.#read(this.#requests, bytes);
    if (this.#headSeen || this.#first.length === HEAD_BYTES) return;
    this.#first = joined(this.#first, bytes.subarray(0, HEAD_BYTES - this.#first.length));
  }

  /** Bytes to the caller. */
  back(bytes: Uint8Array): void {
    this.#read(this.#responses, bytes);
  }

  /** Gives up the bodies that are kept. */
  drop(): void {
    for (const request of this.#awaited) request.drop();
  }

  #read(messages: Messages, bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length && !this.#lost;) {
        const begins = messages === this.#requests && messages.between;
        if (begins && this.#upgrading) throw new Http1Error("it goes on before its Upgrade's answer");
        at = messages.read(bytes, at);
      }
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error;
      this.#lost = true;
      this.drop();
    }
  }

  #requestHead(bytes: Uint8Array, start: number, end: number): BodyFraming {
    const head = parseRequestHead(bytes, start, end);
    if (this.#awaited.length === MAX_AWAITED) throw new Http1Error("too many requests wait for answers");
    this.#awaited.push(new Request(head, this.#keepBody(head)));
    if (!this.#headSeen) this.#first = new Uint8Array();
    this.#headSeen = true;
    this.#upgrading = head.asksUpgrade;
    return head.method === "CONNECT" ? 0 : requestFraming(head);
  }

  #requestEnd(): void {
    const request = this.#awaited[this.#awaited.length - 1];
    if (request) request.ended = true;
  }

  #responseHead(bytes: Uint8Array, start: number, end: number): BodyFraming {
    const head = parseResponseHead(bytes, start, end);
    const request = this.#awaited[0];
    if (!request) throw new Http1Error("an answer came that nobody asked for");
    // The answer has begun: nobody else will give one.
    if (head.status >= 200) request.drop();
    this.#status = head.status;
    const framing = responseFraming(head, request.method);
    if (framing === "opaque") throw new Http1Error("the connection speaks another protocol from here on");
    return framing;
  }

  #responseEnd(): void {
    if (this.#status < 200) return;
    this.#awaited.shift();
    if (this.#awaited.length === 0) this.#upgrading = false;
  }
}

class Request implements AwaitedRequest {
  readonly method: string;
  readonly isJson: boolean;
  /** Whether all of it has arrived. */
  ended = false;
  readonly #expectsContinue: boolean;
  #arrived = 0;
  readonly #kept: KeptBody | undefined;

  constructor({ method, isJson, expectsContinue }: RequestHead, kept: KeptBody | undefined) {
    this.method = method;
    this.isJson = isJson;
    this.#expectsContinue = expectsContinue;
    this.#kept = kept;
  }

  get whole(): boolean {
    return this.ended || (this.#arrived === 0 && this.#expectsContinue);
  }

  get body(): Uint8Array | undefined {
    return this.ended ? this.#kept?.bytes : undefined;
  }

  take(bytes: Uint8Array, start: number, end: number): void {
    this.#kept?.take(bytes.subarray(start, end));
    this.#arrived += end - start;
  }

  drop(): void {
    this.#kept?.drop();
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
