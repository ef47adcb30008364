import { BodyFramer, type BodyFraming, type ContentTaker, requestFraming, responseFraming } from "./body.ts";
import { Http1Error, parseRequestHead, parseResponseHead, type RequestHead, type ResponseHead } from "./head.ts";
import { HeadReader } from "./head_reader.ts";

/** The most requests that may wait for answers: a thousand callers that pipeline 256 each filled the heap of the Pod. */
const MAX_AWAITED = 128;

/** What an {@link Exchanges} reports. Bytes are valid until the call returns. */
export interface ExchangeEvents<R> {
  /**
   * A request's head has arrived.
   * @param bytes hold the head, from `start` to `end`
   * @returns what to remember of the request until its answer has ended
   * @throws Http1Error where the request is refused
   */
  request(head: RequestHead, bytes: Uint8Array, start: number, end: number): R;
  /** Bytes of the last request's body, chunk lines included, from `start` to `end`. */
  requestBody?(bytes: Uint8Array, start: number, end: number): void;
  /** Content of the last request's body, without chunk lines. */
  readonly requestContent?: ContentTaker;
  /** The last request has arrived whole. */
  requestEnd?(): void;
  /**
   * A final answer begins, with a status of 101 or from 200 on.
   * @param request the one it answers; absent where nothing was asked
   * @throws Http1Error where it cannot be followed
   */
  answer?(head: ResponseHead, request: R | undefined): void;
  /** Bytes of the answer's body, of which `content` are not chunk lines. */
  answerBody?(content: number): void;
  /** Content of the answer's body, without chunk lines. */
  readonly answerContent?: ContentTaker;
  /** The final answer has ended. */
  answered?(head: ResponseHead, request: R | undefined): void;
}

/**
 * Pairs the requests and answers of one HTTP/1 connection. It only reads: both directions are shown to it, in any pieces. After an
 * Http1Error the connection cannot be followed any further.
 */
export class Exchanges<R extends { readonly method: string }> {
  readonly #events: ExchangeEvents<R>;
  readonly #requests: Messages;
  readonly #answers: Messages;
  /** Requests whose answers have not ended, the oldest first. */
  readonly awaited: R[] = [];
  /** The head of the final answer that is under way. */
  answer: ResponseHead | undefined;
  /** Whether the connection has switched to another protocol. */
  opaque = false;
  #framing: BodyFraming = 0;
  #lastRequest: RequestHead | undefined;
  #lastAnswer: ResponseHead | undefined;
  /**
   * Whether an Upgrade or CONNECT waits for its answer, which decides what the bytes behind that request are. Whoever does not wait for the
   * answer any more may set it to false.
   */
  switching = false;

  constructor(events: ExchangeEvents<R>) {
    this.#events = events;
    this.#requests = new Messages("request", {
      head: (bytes, start, end) => this.#request(bytes, start, end),
      body: (bytes, start, end) => events.requestBody?.(bytes, start, end),
      end: () => events.requestEnd?.(),
    }, events.requestContent);
    this.#answers = new Messages("response", {
      head: (bytes, start, end) => this.#answerBegins(bytes, start, end),
      body: (_bytes, _start, _end, content) => events.answerBody?.(content),
      end: () => this.#answerEnds(),
    }, events.answerContent);
  }

  /** Whether the caller is between two requests. */
  get betweenRequests(): boolean {
    return this.#requests.between;
  }

  /** Whether the program is between two answers, interim ones (100, 103) included. */
  get betweenAnswers(): boolean {
    return this.#answers.between;
  }

  /** Whether either side is within a head. */
  get inHead(): boolean {
    return this.#requests.inHead || this.#answers.inHead;
  }

  /** Whether the answer under way ends with the connection. */
  get answerUntilClose(): boolean {
    return this.answer !== undefined && this.#framing === "until-close";
  }

  /**
   * Reads the caller's bytes from `at` on, up to the end of one request at most.
   * @returns where to go on
   * @throws Http1Error
   */
  forth(bytes: Uint8Array, at: number): number {
    if (this.switching && this.#requests.between) throw new Http1Error("the caller goes on before the answer to its Upgrade");
    return this.#requests.read(bytes, at);
  }

  /** As {@link forth}, for the program's bytes. */
  back(bytes: Uint8Array, at: number): number {
    return this.#answers.read(bytes, at);
  }

  /** Forgets the answer that is under way, and its request. @returns the request */
  abandonAnswer(): R | undefined {
    this.answer = undefined;
    return this.awaited.shift();
  }

  #request(bytes: Uint8Array, start: number, end: number): BodyFraming {
    const head = this.#requests.repeats && this.#lastRequest ? this.#lastRequest : parseRequestHead(bytes, start, end);
    this.#lastRequest = head;
    if (this.awaited.length === MAX_AWAITED) throw new Http1Error(`more than ${MAX_AWAITED} requests wait for answers`);
    this.awaited.push(this.#events.request(head, bytes, start, end));
    this.switching = head.asksUpgrade;
    return head.method === "CONNECT" ? 0 : requestFraming(head);
  }

  #answerBegins(bytes: Uint8Array, start: number, end: number): BodyFraming {
    const head = this.#answers.repeats && this.#lastAnswer ? this.#lastAnswer : parseResponseHead(bytes, start, end);
    this.#lastAnswer = head;
    const request = this.awaited[0];
    this.#framing = responseFraming(head, request?.method);
    // Only the last request can have asked for a switch: nothing is read behind it.
    if (this.#framing === "opaque" && (!this.switching || this.awaited.length !== 1)) {
      throw new Http1Error("it switches to a protocol that nobody asked for");
    }
    if (head.status >= 200 || head.status === 101) {
      this.#events.answer?.(head, request);
      this.answer = head;
    }
    // The message ends here: what follows belongs to the other protocol.
    return this.#framing === "opaque" ? 0 : this.#framing;
  }

  #answerEnds(): void {
    const head = this.answer;
    if (!head) return;
    this.answer = undefined;
    const request = this.awaited.shift();
    this.opaque = this.#framing === "opaque";
    if (this.awaited.length === 0) this.switching = false;
    this.#events.answered?.(head, request);
  }
}

/** What {@link Messages} reports about one direction of a connection. Bytes are valid until the call returns. */
export interface MessageEvents {
  /** A head, with its empty line, from `start` to `end`. @returns how its body is framed @throws Http1Error */
  head(bytes: Uint8Array, start: number, end: number): BodyFraming;
  /** Bytes of the body, from `start` to `end`, of which `content` are not chunk lines. */
  body(bytes: Uint8Array, start: number, end: number, content: number): void;
  /** The message has ended. */
  end(): void;
}

/** One direction of an HTTP/1 connection: one message after the other, in bytes that arrive in any pieces. */
export class Messages {
  readonly #events: MessageEvents;
  readonly #heads: HeadReader;
  readonly #framer: BodyFramer;
  #inBody = false;

  /** @param onContent receives the bodies' content, without chunk lines */
  constructor(kind: "request" | "response", events: MessageEvents, onContent?: ContentTaker) {
    this.#heads = new HeadReader(kind);
    this.#framer = new BodyFramer(onContent);
    this.#events = events;
  }

  /** Whether no message is under way. */
  get between(): boolean {
    return !this.#inBody && !this.#heads.begun;
  }

  /** Whether a part of a head has been read. */
  get inHead(): boolean {
    return this.#heads.begun;
  }

  /** Whether the head that was read last is the same as the one before, and at the same place. */
  get repeats(): boolean {
    return this.#heads.repeats;
  }

  /**
   * Reads bytes, up to the end of one message at most.
   * @param at where to begin
   * @returns where to go on; the length of `bytes` where all were read
   * @throws Http1Error
   */
  read(bytes: Uint8Array, at: number): number {
    let next = at;
    if (!this.#inBody) {
      const heads = this.#heads;
      next = heads.read(bytes, next);
      if (next < 0) return bytes.length;
      this.#framer.start(this.#events.head(heads.source, heads.start, heads.end));
      heads.release();
      this.#inBody = true;
    }
    if (!this.#framer.done && next < bytes.length) {
      const start = next;
      next = this.#framer.take(bytes, start);
      this.#events.body(bytes, start, next, this.#framer.content);
    }
    if (this.#framer.done) {
      this.#inBody = false;
      this.#events.end();
    }
    return next;
  }
}
