import { type Connection, readAnswer, relay, type RelayEnd, SessionEndedError, type Stream } from "../tunnel/mod.ts";
import type { AllowReviews } from "./allow_reviews.ts";
import { CallerExchanges } from "./caller_exchanges.ts";
import { http1Answer, http1Json, http2GoAway, looksLikeHttp1 } from "./error_answer.ts";
import { type Http2Exchanges, LAST_STREAM } from "./http2_exchanges.ts";

/** Of a request that is refused this much is read, and for so long, so that the caller reads the answer and not a reset. */
const DRAIN_BYTES = 8 * 1024 * 1024;
const DRAIN_MS = 1_000;

/** The other side of the tunnel could not connect the stream, and says why. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** Nobody is connected to the session who could answer. */
export class NobodyConnectedError extends Error {
  override readonly name = "NobodyConnectedError";
}

/** Carries a caller over a stream whose preamble has been sent, until both directions have ended. */
export function carry(caller: CallerConnection, stream: Stream): Promise<RelayEnd> {
  return relay(caller, new DialedStream(stream));
}

/** A stream that first answers whether there is an upstream. */
class DialedStream implements Connection {
  readonly #stream: Stream;
  #dialed = false;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  read(): Promise<Uint8Array | null> {
    return this.#dialed ? this.#stream.read() : this.#first();
  }

  write(bytes: Uint8Array): void | Promise<void> {
    return this.#stream.write(bytes);
  }

  closeWrite(): void {
    this.#stream.closeWrite();
  }

  reset(): void {
    this.#stream.reset();
  }

  onFailure(listener: (error: Error) => void): void {
    this.#stream.onFailure(listener);
  }

  async #first(): Promise<Uint8Array | null> {
    const { refused, rest } = await readAnswer(this.#stream);
    if (refused !== undefined) throw new RefusedError(refused);
    this.#dialed = true;
    return rest.length > 0 ? rest : this.#stream.read();
  }
}

/** What a {@link CallerConnection} needs to know. */
export interface CallerOptions {
  /** The session's name, for the sentences. */
  readonly session: string;
  /** Answers admission requests in the program's place, where the user wants that. */
  readonly allow?: AllowReviews;
}

/**
 * A caller's connection that is told in its own protocol what went wrong, as long as nothing of the answer that it waits for has been sent.
 * Else a break is a reset: half an answer must never look whole.
 */
export class CallerConnection implements Connection {
  readonly #connection: Connection;
  readonly #session: string;
  readonly #allow: AllowReviews | undefined;
  readonly #exchanges: CallerExchanges;
  readonly #settled = Promise.withResolvers<void>();
  #pending: Promise<Uint8Array | null> | undefined;
  #ended = false;
  #draining = false;
  /** Nothing more goes to the caller from the relay. */
  #over = false;
  /** Nothing more of the caller's goes on. */
  #closing = false;

  constructor(connection: Connection, { session, allow }: CallerOptions) {
    this.#connection = connection;
    this.#session = session;
    this.#allow = allow;
    this.#exchanges = new CallerExchanges((head, bytes) => allow?.keep(head, bytes));
  }

  read(): Promise<Uint8Array | null> {
    if (this.#exchanges.over) return this.#connection.read();
    // Who says no to a caller reads what a relay was about to read: it counts once.
    this.#pending ??= this.#readAndFollow();
    return this.#pending;
  }

  write(bytes: Uint8Array): void | Promise<void> {
    if (this.#over) return;
    this.#exchanges.back(bytes);
    const written = this.#connection.write(bytes);
    if (this.#draining) this.#drainNow();
    return written;
  }

  closeWrite(): void {
    const { http1, sent } = this.#exchanges;
    if (!sent && http1?.asked && !this.#over) return this.reset(new Error("the program behind it closed the connection without an answer"));
    if (!this.#over) this.#connection.closeWrite();
  }

  reset(cause?: Error): void {
    if (this.#over) return;
    this.#over = true;
    const saying = cause ? this.#sayNo(cause) : Promise.reject(new Error("nothing to say"));
    saying.catch(() => this.#connection.reset()).finally(() => this.#settled.resolve());
  }

  /** No exchange begins any more once those that are open have ended: the connection is closed behind an answer that comes. */
  drain(): void {
    this.#draining = true;
    const { http2 } = this.#exchanges;
    if (http2 && !this.#over) this.#drainHttp2(http2);
  }

  /** Closes the connection where no exchange is open. */
  closeIdle(): void {
    if (this.#over || !this.#exchanges.idle) return;
    this.#over = true;
    this.#end().catch(() => this.#connection.reset()).finally(() => this.#settled.resolve());
  }

  /** Waits until a caller that is told no has been told, and gives up what is kept of its requests. */
  async finish(): Promise<void> {
    if (this.#over) await this.#settled.promise;
    this.#exchanges.drop();
  }

  async #readAndFollow(): Promise<Uint8Array | null> {
    const bytes = await this.#connection.read().finally(() => this.#pending = undefined);
    // A request that crosses our end would have no answer: the program must not see it.
    if (bytes !== null && this.#closing) return null;
    if (bytes === null) this.#ended = true;
    else this.#exchanges.forth(bytes);
    return bytes;
  }

  #drainNow(): void {
    const { http2 } = this.#exchanges;
    if (http2) this.#drainHttp2(http2);
    else this.closeIdle();
  }

  /** Bars new streams, and leaves those that are open alone; the caller closes after the last (RFC 9113, 6.8). */
  #drainHttp2(http2: Http2Exchanges): void {
    if (!http2.begun || !http2.between) return;
    this.#draining = false;
    const goAway = http2GoAway({ sentence: "kurun: this Pod is being stopped", lastStream: LAST_STREAM, first: false });
    Promise.resolve(this.#connection.write(goAway)).catch(() => {});
  }

  async #sayNo(cause: Error): Promise<void> {
    const deadline = new Deadline(DRAIN_MS);
    try {
      for (let left = DRAIN_BYTES; left > 0 && this.#mustRead();) {
        const bytes = await deadline.race(this.read());
        if (!bytes) break;
        left -= bytes.length;
      }
    } finally {
      deadline.stop();
    }
    const { idle, http2 } = this.#exchanges;
    const nothingHappened = cause instanceof SessionEndedError || cause instanceof NobodyConnectedError;
    if (idle && nothingHappened) return await this.#end();
    const answer = http2 ? this.#http2Answer(http2, cause) : this.#http1Answer(cause);
    if (!answer) return this.#connection.reset();
    await this.#connection.write(answer);
    await this.#end();
  }

  /** Whether the answer depends on more than has arrived, or the caller would not read it before it has sent the rest. */
  #mustRead(): boolean {
    const { http1, http2, sent } = this.#exchanges;
    if (this.#ended || http2) return false;
    if (!http1 || http1.lost) return !sent;
    return !http1.answering && http1.asked && !http1.next?.whole;
  }

  #http1Answer(cause: Error): Uint8Array | undefined {
    const { http1, sent } = this.#exchanges;
    if (!http1 || http1.answering) return undefined;
    // What cannot be followed was not HTTP/1 that is read in one way only, or has become another protocol.
    if (http1.lost ? sent : !http1.asked) return undefined;
    if (!http1.next && !sent && !looksLikeHttp1(http1.first)) return undefined;
    const head = http1.next?.head ?? (sent ? new Uint8Array() : http1.first);
    const { status, sentence } = describe(cause, this.#session);
    const { body } = http1.next ?? {};
    const allowed = status === 503 && body ? this.#allow?.answer(body, cause) : undefined;
    return allowed === undefined ? http1Answer(head, status, sentence) : http1Json(head, allowed);
  }

  #http2Answer(http2: Http2Exchanges, cause: Error): Uint8Array | undefined {
    if (!http2.between) return undefined;
    const { sentence } = describe(cause, this.#session);
    const lastStream = cause instanceof SessionEndedError || http2.begun ? http2.lastStream : 0;
    return http2GoAway({ sentence, lastStream, first: !http2.begun });
  }

  /** Ends our direction, and waits a while for the caller to end its own: what it still sends is dropped. */
  async #end(): Promise<void> {
    this.#closing = true;
    this.#connection.closeWrite();
    const deadline = new Deadline(DRAIN_MS);
    try {
      for (let left = DRAIN_BYTES; left > 0;) {
        const bytes = await deadline.race(this.#connection.read());
        if (!bytes) break;
        left -= bytes.length;
      }
    } finally {
      deadline.stop();
    }
    this.#connection.reset();
  }
}

/** The status and sentence for what went wrong. */
function describe(cause: Error, session: string): { status: 502 | 503; sentence: string } {
  if (cause instanceof NobodyConnectedError) {
    return {
      status: 503,
      sentence: `kurun: nobody is connected to session ${session}: its kurun port-forward has ended or lost the network`,
    };
  }
  if (cause instanceof SessionEndedError) {
    return {
      status: 503,
      sentence:
        `kurun: the connection to the program behind session ${session} was lost before it answered; the request may have been delivered`,
    };
  }
  if (cause instanceof RefusedError) return { status: 502, sentence: `kurun: ${cause.message}` };
  return { status: 502, sentence: `kurun: ${sentenceOf(cause)}` };
}

function sentenceOf(cause: Error): string {
  return cause.name === "StreamResetError" ? "the program behind it broke the connection before it answered" : cause.message;
}

/** A moment after which waiting ends with nothing. */
class Deadline {
  readonly #passed: Promise<null>;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#passed = new Promise((resolve) => this.#timer = setTimeout(resolve, ms, null));
  }

  race<T>(promise: Promise<T>): Promise<T | null> {
    return Promise.race([promise, this.#passed]);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
