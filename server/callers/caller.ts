import { type Connection, readAnswer, relay, type RelayEnd, SessionEndedError, type Stream, StreamLimitError } from "../../tunnel/mod.ts";
import type { AllowReviews } from "./allow_reviews.ts";
import { CallerExchanges } from "./caller_exchanges.ts";
import { type AskedHow, guessHowAsked, http1Answer, http1Json } from "./error_answer.ts";
import { http2Answers, http2GoAway, http2Settings } from "./http2_answer.ts";
import type { Http2Exchanges } from "./http2_exchanges.ts";
import { LAST_STREAM } from "./http2_frames.ts";

/** Of a request that is refused this much is read, and for so long, so that the caller reads the answer and not a reset. */
const DRAIN_BYTES = 8 * 1024 * 1024;
const DRAIN_MS = 1_000;
/** An HTTP/2 caller that has asked and sends nothing more for so long has sent what it had to ask. */
const QUIET_MS = 50;
/**
 * How long a client may take to say whether it has reached the program. Its own limits are 10 s for each address of a name, and 10 s for
 * TLS (cli/port_forward/upstream.ts): it says so itself unless it hangs.
 */
const DIAL_MS = 35_000;

/** The other side of the tunnel could not connect the stream, and says why. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** The other side of the tunnel has not said in time whether it could connect the stream. */
export class DialTimeoutError extends Error {
  override readonly name = "DialTimeoutError";
}

/** Nobody is connected to the session who could answer. */
export class NobodyConnectedError extends Error {
  override readonly name = "NobodyConnectedError";
}

/**
 * Carries a caller over a stream whose preamble has been sent, until both directions have ended.
 * @param dialMs how long the answer to the preamble may take, in milliseconds
 */
export function carry(caller: CallerConnection, stream: Stream, dialMs = DIAL_MS): Promise<RelayEnd> {
  return relay(caller, new DialedStream(stream, dialMs));
}

/** A stream that first answers whether there is an upstream. */
class DialedStream implements Connection {
  readonly #stream: Stream;
  readonly #dialMs: number;
  #dialed = false;

  constructor(stream: Stream, dialMs: number) {
    this.#stream = stream;
    this.#dialMs = dialMs;
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
    const answer = await within(this.#dialMs, readAnswer(this.#stream));
    if (!answer) {
      throw new DialTimeoutError(`kurun port-forward did not say within ${this.#dialMs / 1000} s whether it reaches the program`);
    }
    const { refused, rest } = answer;
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
  /** An HTTP/2 caller got its first SETTINGS from us. */
  #greeted = false;

  constructor(connection: Connection, { session, allow }: CallerOptions) {
    this.#connection = connection;
    this.#session = session;
    this.#allow = allow;
    this.#exchanges = new CallerExchanges((head) => allow?.keep(head));
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
    let bytes: Uint8Array | null;
    try {
      bytes = await this.#connection.read();
    } finally {
      this.#pending = undefined;
    }
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
    const goAway = http2GoAway(LAST_STREAM, "kurun: this Pod is being stopped");
    Promise.resolve(this.#connection.write(goAway)).catch(() => {});
  }

  async #sayNo(cause: Error): Promise<void> {
    await this.#greet();
    const until = performance.now() + DRAIN_MS;
    for (let left = DRAIN_BYTES; left > 0 && this.#mustRead();) {
      const limit = Math.max(0, until - performance.now());
      const bytes = await within(this.#exchanges.http2?.lastStream ? Math.min(limit, QUIET_MS) : limit, this.read());
      if (!bytes) break;
      left -= bytes.length;
      await this.#greet();
    }
    const { idle, http2 } = this.#exchanges;
    const nothingHappened = cause instanceof SessionEndedError || cause instanceof NobodyConnectedError;
    if (idle && nothingHappened) return await this.#end();
    const answer = http2 ? this.#http2Answer(http2, cause) : this.#http1Answer(cause);
    if (!answer) return this.#connection.reset();
    await this.#connection.write(answer);
    await this.#end();
  }

  /** An HTTP/2 caller may wait for the other side's SETTINGS before it asks anything, as gRPC's do. */
  async #greet(): Promise<void> {
    const { http2 } = this.#exchanges;
    if (!http2 || http2.begun) return;
    this.#greeted = true;
    const settings = http2Settings();
    http2.back(settings);
    await this.#connection.write(settings);
  }

  /** Whether the answer depends on more than has arrived, or the caller would not read it before it has sent the rest. */
  #mustRead(): boolean {
    const { http1, http2, sent } = this.#exchanges;
    if (this.#ended) return false;
    if (http2) return this.#greeted;
    if (!http1 || http1.lost) return !sent;
    return !http1.answering && http1.asked && !http1.next?.whole;
  }

  #http1Answer(cause: Error): Uint8Array | undefined {
    const { http1, sent } = this.#exchanges;
    if (!http1 || http1.answering) return undefined;
    // What cannot be followed was not HTTP/1 that is read in one way only, or has become another protocol.
    if (http1.lost ? sent : !http1.asked) return undefined;
    const asked = http1.next ?? (sent ? UNKNOWN : guessHowAsked(http1.first));
    if (!asked) return undefined;
    const { status, sentence } = describe(cause, this.#session);
    const { body } = http1.next ?? {};
    const allowed = status === 503 && body ? this.#allow?.answer(body, cause) : undefined;
    return allowed === undefined ? http1Answer(asked, status, sentence) : http1Json(asked, allowed);
  }

  #http2Answer(http2: Http2Exchanges, cause: Error): Uint8Array | undefined {
    if (!http2.between) return undefined;
    const { status, sentence } = describe(cause, this.#session);
    return http2Answers(http2, status, sentence, this.#greeted);
  }

  /** Ends our direction, and waits a while for the caller to end its own: what it still sends is dropped. */
  async #end(): Promise<void> {
    this.#closing = true;
    this.#connection.closeWrite();
    const until = performance.now() + DRAIN_MS;
    for (let left = DRAIN_BYTES; left > 0;) {
      const bytes = await within(Math.max(0, until - performance.now()), this.#connection.read());
      if (!bytes) break;
      left -= bytes.length;
    }
    this.#connection.reset();
  }
}

/** A request behind an answer, of which nothing is known yet. */
const UNKNOWN: AskedHow = { method: "", isJson: false };

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
  if (cause instanceof StreamLimitError) return { status: 503, sentence: `kurun: ${cause.message}` };
  if (cause instanceof RefusedError) return { status: 502, sentence: `kurun: ${cause.message}` };
  return { status: 502, sentence: `kurun: ${sentenceOf(cause)}` };
}

function sentenceOf(cause: Error): string {
  return cause.name === "StreamResetError" ? "the program behind it broke the connection before it answered" : cause.message;
}

/** What is promised, or nothing where it does not come within so many milliseconds. */
async function within<T>(ms: number, promised: Promise<T>): Promise<T | null> {
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), ms);
  try {
    return await Promise.race([promised, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
