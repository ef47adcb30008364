import { concat } from "../../tunnel/bytes.ts";
import { Exchanges } from "../../tunnel/http1/exchanges.ts";
import { Http1Error, type RequestHead, type ResponseHead } from "../../tunnel/http1/head.ts";
import { patienceIn } from "../../tunnel/http1/patience.ts";
import { REVIEW_START_BYTES } from "./admission_fallback.ts";

/** This much of a head that has not ended is kept, to know in which form to refuse the request. */
const HEAD_BYTES = 8 * 1024;

/** A new array takes as long as all the rest that is done for a request. */
const NO_BYTES = new Uint8Array();

/**
 * Tracks the exchanges of one caller's HTTP/1 connection, so that it is known at any moment whether an answer can be sent without breaking
 * into another one. It never changes, holds back or delays a byte. It stops tracking at bytes that two programs could parse differently.
 */
export class Http1Exchanges {
  /** Up to 8 KiB of the connection's first bytes, where no head could be read. */
  first: Uint8Array = NO_BYTES;
  /** Whether the connection cannot be followed: what it carries is not, or no longer, unambiguous HTTP/1. */
  lost = false;
  /** How long the caller waits for the answer that comes next, until that begins. Not known of pipelined requests. */
  patience: Patience | undefined;
  readonly #exchanges: Exchanges<AwaitedRequest>;
  #headSeen = false;

  /** @param keepsStart whether the start of a request's body is kept */
  constructor(keepsStart: (head: RequestHead) => boolean) {
    this.#exchanges = new Exchanges({
      request: (head, bytes) => {
        this.first = NO_BYTES;
        this.#headSeen = true;
        // Only a request that nothing waits before: 128 pipelined ones of 1,280 callers would hold 80 MB. The API server does not pipeline.
        const isFirst = this.#exchanges.awaited.length === 0;
        const ms = isFirst ? patienceIn(bytes, head.targetSpan) : undefined;
        if (ms !== undefined) this.patience = { ms, since: performance.now() };
        return new AwaitedRequest(head, isFirst && keepsStart(head));
      },
      requestBody: (bytes, start, end) => this.#exchanges.awaited.at(-1)?.take(bytes.subarray(start, end)),
      requestEnd: () => {
        const request = this.#exchanges.awaited.at(-1);
        if (request) request.ended = true;
      },
      answer: (_head: ResponseHead, request) => {
        if (!request) throw new Http1Error("an answer came that nobody asked for");
        this.patience = undefined;
      },
    });
  }

  /** Whether an answer is under way. */
  get answering(): boolean {
    return !this.#exchanges.betweenAnswers;
  }

  /** Whether a request has begun or waits for its answer. */
  get asked(): boolean {
    return this.#exchanges.awaited.length > 0 || !this.#exchanges.betweenRequests;
  }

  /** Whether no request waits behind the next one. */
  get onlyOne(): boolean {
    return this.#exchanges.awaited.length === 1;
  }

  /** The request that the next answer belongs to, once its head is whole. */
  get next(): AwaitedRequest | undefined {
    return this.#exchanges.awaited[0];
  }

  /** Takes bytes from the caller. */
  forth(bytes: Uint8Array): void {
    this.#follow("forth", bytes);
    if (this.#headSeen || this.first.length === HEAD_BYTES) return;
    this.first = concat(this.first, bytes.subarray(0, HEAD_BYTES - this.first.length));
  }

  /** Takes bytes to the caller. */
  back(bytes: Uint8Array): void {
    this.#follow("back", bytes);
  }

  #follow(direction: "forth" | "back", bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length && !this.lost;) {
        at = this.#exchanges[direction](bytes, at);
        if (this.#exchanges.opaque) this.lost = true;
      }
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error;
      this.lost = true;
    }
  }
}

/** How long a caller waits, in milliseconds, and since when, on the clock of `performance.now()`. */
export interface Patience {
  readonly ms: number;
  readonly since: number;
}

/** A request whose answer has not ended. */
export class AwaitedRequest {
  readonly method: string;
  /** Whether its body is JSON, or its sender accepts JSON. */
  readonly isJson: boolean;
  /** Whether all of it has arrived. */
  ended = false;
  /** The first bytes of its body, where they are kept. */
  bodyStart: Uint8Array | undefined;
  readonly #expectsContinue: boolean;
  #bodyBegun = false;

  constructor({ method, isJson, expectsContinue }: RequestHead, keepsStart: boolean) {
    this.method = method;
    this.isJson = isJson;
    this.#expectsContinue = expectsContinue;
    this.bodyStart = keepsStart ? NO_BYTES : undefined;
  }

  /** Whether all of it has arrived, or its caller waits for `100 Continue` before it sends more. */
  get whole(): boolean {
    return this.ended || (!this.#bodyBegun && this.#expectsContinue);
  }

  /** Takes a part of its body. */
  take(part: Uint8Array): void {
    this.#bodyBegun = true;
    const start = this.bodyStart;
    if (start && start.length < REVIEW_START_BYTES) this.bodyStart = concat(start, part.subarray(0, REVIEW_START_BYTES - start.length));
  }
}
