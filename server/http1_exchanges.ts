import { type BodyFraming, requestFraming, responseFraming } from "../tunnel/http1/body.ts";
import { Http1Error, parseRequestHead, parseResponseHead, type RequestHead } from "../tunnel/http1/head.ts";
import { MAX_AWAITED, Messages } from "../tunnel/http1/messages.ts";

/** Of a request's head this much is kept, to know how to say no. */
const HEAD_BYTES = 8 * 1024;

/** A request whose answer has not ended. */
export interface AwaitedRequest {
  /** The head, or its first 8 KiB. */
  readonly head: Uint8Array;
  readonly method: string;
  /** Whether all of it has arrived, or its caller waits for `100 Continue` before it sends more. */
  readonly whole: boolean;
  /** Its body, where that is kept and has arrived whole. */
  readonly body: Uint8Array | undefined;
}

/**
 * Asked whether a request's body is to be kept. @param bytes the head, or its first 8 KiB
 * @returns what gives the room back, where it is kept
 */
export type KeepBody = (head: RequestHead, bytes: Uint8Array) => (() => void) | undefined;

/**
 * Follows the exchanges of one HTTP/1 connection, so that at any moment it is known whether a caller can be told something between two
 * answers. It never changes, holds or delays a byte; what it cannot read in one way only, it does not follow any further.
 */
export class Http1Exchanges {
  readonly #keepBody: KeepBody;
  readonly #awaited: Request[] = [];
  readonly #requests: Messages;
  readonly #responses: Messages;
  /** The connection's first bytes. */
  #first = new Uint8Array();
  #lost = false;
  #upgrading = false;
  #status = 0;

  constructor(keepBody: KeepBody) {
    this.#keepBody = keepBody;
    this.#requests = new Messages("request", {
      head: (bytes) => this.#requestHead(bytes),
      body: (bytes, start, end) => this.#awaited.at(-1)?.take(bytes.subarray(start, end)),
      end: () => this.#awaited.at(-1)?.end(),
    });
    this.#responses = new Messages("response", {
      head: (bytes) => this.#responseHead(bytes),
      body: () => {},
      end: () => this.#responseEnd(),
    });
  }

  /** Whether the connection cannot be followed: what it carries is not, or no longer, HTTP/1 that is read in one way only. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Up to 8 KiB of the connection's first bytes. */
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
    if (this.#first.length < HEAD_BYTES) this.#first = joined(this.#first, bytes.subarray(0, HEAD_BYTES - this.#first.length));
    this.#read(this.#requests, bytes);
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

  #requestHead(bytes: Uint8Array): BodyFraming {
    const head = parseRequestHead(bytes);
    if (this.#awaited.length === MAX_AWAITED) throw new Http1Error("too many requests wait for answers");
    const kept = bytes.slice(0, HEAD_BYTES);
    this.#awaited.push(new Request(kept, head, this.#keepBody(head, kept)));
    this.#upgrading = head.asksUpgrade;
    return head.method === "CONNECT" ? 0 : requestFraming(head);
  }

  #responseHead(bytes: Uint8Array): BodyFraming {
    const head = parseResponseHead(bytes);
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
  readonly head: Uint8Array;
  readonly method: string;
  #arrived = 0;
  #ended = false;
  #kept: Uint8Array | undefined;
  #giveBack: (() => void) | undefined;

  constructor(bytes: Uint8Array, { method, length }: RequestHead, giveBack: (() => void) | undefined) {
    this.head = bytes;
    this.method = method;
    this.#giveBack = giveBack;
    if (giveBack) this.#kept = new Uint8Array(length ?? 0);
  }

  get whole(): boolean {
    if (this.#ended || this.#arrived > 0) return this.#ended;
    return /\nexpect:[ \t]*100-continue/i.test(new TextDecoder("latin1").decode(this.head));
  }

  get body(): Uint8Array | undefined {
    return this.#ended ? this.#kept : undefined;
  }

  take(part: Uint8Array): void {
    this.#kept?.set(part, this.#arrived);
    this.#arrived += part.length;
  }

  end(): void {
    this.#ended = true;
  }

  drop(): void {
    this.#kept = undefined;
    this.#giveBack?.();
    this.#giveBack = undefined;
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
