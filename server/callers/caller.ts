import { type Connection, SessionEndedError, type SmallSink, StreamLimitError, StreamResetError } from "../../tunnel/mod.ts";
import { concat } from "../../tunnel/bytes.ts";
import { answerWithin, holdWithin } from "../../tunnel/http1/patience.ts";
import type { LiveClient } from "../control/live_client.ts";
import { within } from "../net/timing.ts";
import type { AdmissionFallback } from "./admission_fallback.ts";
import { AnswerDeadline } from "./answer_deadline.ts";
import { CallerExchanges } from "./caller_exchanges.ts";
import { type AskedHow, guessHowAsked, http1Answer, http1Json } from "./error_answer.ts";
import type { Patience } from "./http1_exchanges.ts";
import { ErrorCode, type Http2Boundary, http2GoAway, http2Settings } from "./http2_frames.ts";

/** This much of a refused request is read, for this many milliseconds, so that the caller reads the answer and not a reset. */
const DRAIN_BYTES = 8 * 1024 * 1024;
const DRAIN_MS = 1_000;
/** A longer head is not read while its caller waits for a client: what is read is kept. */
const EARLY_BYTES = 8 * 1024;
/** Goes into the last answer of a connection: a Go client sends its next request on another one, and does not meet this one's end. */
const CONNECTION_CLOSE = new TextEncoder().encode("Connection: close\r\n");
const STATUS_LINE_BYTES = 256;
/**
 * An HTTP/2 caller has this many milliseconds after SETTINGS to send a request, because gRPC clients wait for SETTINGS first. Its requests
 * then fail. Without the wait, a client that has sent no request would reconnect immediately, forever.
 */
const HTTP2_ASK_MS = 200;

/** No client is connected to the session. */
export class NobodyConnectedError extends Error {
  override readonly name = "NobodyConnectedError";
}

/** What a {@link CallerConnection} needs to know. */
export interface CallerOptions {
  /** The session's name, for the sentences. */
  readonly session: string;
  /** The client that is connected. */
  readonly live?: LiveClient;
  /** Answers admission requests in the program's place, where the user wants that. */
  readonly fallback?: AdmissionFallback | undefined;
}

/**
 * A caller's connection. A failure is reported in the caller's own protocol as long as no byte of the awaited answer has been sent.
 * After that, a failure is a reset: half an answer must never look whole.
 */
export class CallerConnection implements Connection {
  readonly #connection: Connection;
  readonly #options: CallerOptions;
  readonly #exchanges: CallerExchanges;
  readonly #settled = Promise.withResolvers<void>();
  #deadline: AnswerDeadline | undefined;
  #pending: Promise<Uint8Array | null> | undefined;
  /** What was read before the relay began, while {@link #readsEarly}. */
  readonly #early: Uint8Array[] = [];
  #readsEarly = false;
  #failed: ((error: Error) => void) | undefined;
  #ended = false;
  #draining = false;
  /** Nothing more goes to the caller from the relay. */
  #over = false;
  /** Nothing more from the caller is passed on. */
  #closing = false;

  constructor(connection: Connection, options: CallerOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#exchanges = new CallerExchanges((head) => options.fallback?.mayAnswer(head) === true);
  }

  read(): Promise<Uint8Array | null> {
    return this.#readNext();
  }

  readSmall(take: SmallSink): Promise<Uint8Array | null> {
    return this.#readNext(this.#connection.readSmall && take);
  }

  write(bytes: Uint8Array): void | Promise<void> {
    if (this.#over) return;
    const closing = this.#draining ? this.#withConnectionClose(bytes) : bytes;
    this.#exchanges.back(bytes);
    const written = this.#connection.write(closing);
    if (this.#draining) this.#drainNow();
    return written;
  }

  writeSmall(bytes: Uint8Array): void | Promise<void> {
    if (this.#draining || !this.#connection.writeSmall) return this.write(bytes.slice());
    if (this.#over) return;
    this.#exchanges.back(bytes);
    return this.#connection.writeSmall(bytes);
  }

  closeWrite(): void {
    const { http1, sent } = this.#exchanges;
    if (!sent && http1?.asked && !this.#over) return this.reset(new Error("the program closed the connection without an answer"));
    if (!this.#over) this.#connection.closeWrite();
  }

  reset(cause?: Error): void {
    if (this.#over) return;
    this.#over = true;
    if (cause) return this.#settle(this.#refuse(cause));
    this.#connection.reset();
    this.#settled.resolve();
  }

  onFailure(listener: (error: Error) => void): void {
    this.#failed = listener;
  }

  /**
   * Reads the first request's head while nobody reads, to learn how long its caller can wait for a client. Never rejects.
   * @returns milliseconds; undefined if the caller does not say
   */
  async maxHold(): Promise<number | undefined> {
    this.#readsEarly = true;
    for (let size = 0; this.#readsEarly && size < EARLY_BYTES && !this.#exchanges.http1?.next;) {
      // What breaks here breaks the relay, or the refusal, too.
      const bytes = await (this.#pending ??= this.#readAndFollow()).catch(() => null);
      if (!bytes) return undefined;
      size += bytes.length;
    }
    return this.#patience && holdWithin(this.#patience.ms);
  }

  /** Lets no exchange begin once the open ones have ended: the connection is closed behind the next answer. */
  drain(): void {
    this.#draining = true;
    const { http2 } = this.#exchanges;
    if (http2 && !this.#over) this.#drainHttp2(http2);
  }

  /** Closes the connection where no exchange is open. */
  closeIdle(): void {
    if (this.#over || !this.#exchanges.idle) return;
    this.#over = true;
    this.#settle(this.#end());
  }

  /** Waits until a refused caller has been sent its answer. */
  async finish(): Promise<void> {
    if (this.#over) await this.#settled.promise;
    this.#deadline?.stop();
  }

  #settle(ending: Promise<void>): void {
    ending.catch(() => this.#connection.reset()).then(() => this.#settled.resolve(), () => this.#settled.resolve());
  }

  #readNext(take?: SmallSink): Promise<Uint8Array | null> {
    this.#readsEarly = false;
    const early = this.#early.shift();
    if (early) return Promise.resolve(early);
    // A refusal reads what the relay was about to read; the bytes count once.
    return this.#pending ??= this.#readAndFollow(take);
  }

  async #readAndFollow(take?: SmallSink): Promise<Uint8Array | null> {
    let bytes: Uint8Array | null;
    try {
      const reading = () => take && this.#connection.readSmall?.((part) => this.#pass(part, take)) || this.#connection.read();
      bytes = this.#ended ? null : await reading();
    } finally {
      this.#pending = undefined;
    }
    // The program must not see a request that crosses our end: it would have no answer.
    if (bytes !== null && this.#closing) return null;
    if (bytes === null) this.#ended = true;
    else this.#follow(bytes);
    if (bytes !== null && this.#readsEarly) this.#early.push(bytes);
    return bytes;
  }

  /** Follows a small piece, and passes it on as long as the relay wants it: a refusal gets it otherwise. */
  #pass(part: Uint8Array, take: SmallSink): ReturnType<SmallSink> {
    if (this.#over) return false;
    this.#follow(part);
    // What breaks the other end, and is reported to the caller, must not break the caller's.
    return (take(part) || undefined)?.catch((error) => {
      if (!this.#over) throw error;
    });
  }

  #follow(bytes: Uint8Array): void {
    if (this.#exchanges.over) return;
    this.#exchanges.forth(bytes);
    if (this.#patience) this.#watchPatience();
  }

  /** How long the caller waits for the answer that comes next, unless that has begun. */
  get #patience(): Patience | undefined {
    const { http1 } = this.#exchanges;
    return http1?.lost || http1?.answering ? undefined : http1?.patience;
  }

  #watchPatience(): void {
    this.#deadline ??= new AnswerDeadline(
      () => this.#patience,
      () => this.#options.live?.session,
      () => this.#failed?.(new SessionEndedError("The client does not answer")),
    );
    this.#deadline.watch();
  }

  /** Adds the header behind the status line, where the last awaited answer begins; 1xx is none, and may be a switch to another protocol. */
  #withConnectionClose(bytes: Uint8Array): Uint8Array {
    const { http1 } = this.#exchanges;
    const [line] = /^HTTP\/1\.[01] [2-9].*\r\n/.exec(new TextDecoder("latin1").decode(bytes.subarray(0, STATUS_LINE_BYTES))) ?? [];
    if (!http1?.onlyOne || http1.lost || http1.answering || http1.next?.method === "CONNECT" || !line) return bytes;
    return concat(bytes.subarray(0, line.length), CONNECTION_CLOSE, bytes.subarray(line.length));
  }

  #drainNow(): void {
    const { http2 } = this.#exchanges;
    if (http2) this.#drainHttp2(http2);
    else this.closeIdle();
  }

  /** Bars new streams and leaves the open ones alone; the caller closes after the last (RFC 9113, 6.8). */
  #drainHttp2(http2: Http2Boundary): void {
    if (!http2.begun || !http2.between) return;
    this.#draining = false;
    const goAway = http2GoAway(ErrorCode.none, "kurun: this Pod is being stopped");
    // A broken connection throws, or rejects later; its reader gets the error too.
    const write = async () => await this.#connection.write(goAway);
    write().catch(() => {});
  }

  async #refuse(cause: Error): Promise<void> {
    const { ms = Infinity, since = 0 } = this.#patience ?? {};
    await this.#drop(Math.min(DRAIN_MS, since + answerWithin(ms) - performance.now()), () => this.#mustRead);
    const { idle, http2 } = this.#exchanges;
    const nothingHappened = cause instanceof SessionEndedError || cause instanceof NobodyConnectedError;
    if (idle && nothingHappened) return await this.#end();
    if (http2) return await this.#refuseHttp2(http2, cause);
    const answer = this.#http1Answer(cause);
    if (!answer) return this.#connection.reset();
    await this.#connection.write(answer);
    await this.#end();
  }

  /** Fails all streams at once: requests that have no answer, or half of one, end with the connection, and the sentence goes with them. */
  async #refuseHttp2(http2: Http2Boundary, cause: Error): Promise<void> {
    if (!http2.between) return this.#connection.reset();
    if (!http2.begun) {
      await this.#connection.write(http2Settings());
      await this.#drop(HTTP2_ASK_MS, () => !this.#ended);
    }
    await this.#connection.write(http2GoAway(ErrorCode.internal, describe(cause, this.#options.session).sentence));
    await this.#end();
  }

  /** Reads and drops what the caller sends, for at most `ms` milliseconds and while `wanted` is true. */
  async #drop(ms: number, wanted: () => boolean, read: () => Promise<Uint8Array | null> = () => this.read()): Promise<void> {
    const until = performance.now() + ms;
    for (let left = DRAIN_BYTES; left > 0 && wanted();) {
      const bytes = await within(Math.max(0, until - performance.now()), read());
      if (!bytes) return;
      left -= bytes.length;
    }
  }

  /** Whether the answer depends on more than has arrived, or the caller would not read it before it has sent the rest. */
  get #mustRead(): boolean {
    const { http1, http2, sent } = this.#exchanges;
    if (this.#ended || http2) return false;
    if (!http1 || http1.lost) return !sent;
    return !http1.answering && http1.asked && !http1.next?.whole;
  }

  #http1Answer(cause: Error): Uint8Array | undefined {
    const { http1, sent } = this.#exchanges;
    if (!http1 || http1.answering) return undefined;
    // What cannot be followed was never unambiguous HTTP/1, or has become another protocol.
    if (http1.lost ? sent : !http1.asked) return undefined;
    const asked = http1.next ?? (sent ? UNKNOWN : guessHowAsked(http1.first));
    if (!asked) return undefined;
    const { status, sentence } = describe(cause, this.#options.session);
    const { bodyStart } = http1.next ?? {};
    const allowed = status === 503 && bodyStart ? this.#options.fallback?.answer(bodyStart, cause) : undefined;
    return allowed === undefined ? http1Answer(asked, status, sentence) : http1Json(asked, allowed);
  }

  /** Ends our direction, and waits a while for the caller to end its own: what it still sends is dropped. */
  async #end(): Promise<void> {
    this.#closing = true;
    this.#connection.closeWrite();
    await this.#drop(DRAIN_MS, () => true, () => this.#connection.read());
    this.#connection.reset();
  }
}

/** A request behind an answer, of which nothing is known yet. */
const UNKNOWN: AskedHow = { method: "", isJson: false };

/** The status and sentence for what went wrong. */
function describe(cause: Error, session: string): { status: 502 | 503; sentence: string } {
  const mayRetry = [NobodyConnectedError, SessionEndedError, StreamLimitError].some((kind) => cause instanceof kind);
  return { status: mayRetry ? 503 : 502, sentence: `kurun: ${sentenceOf(cause, session)}` };
}

function sentenceOf(cause: Error, session: string): string {
  if (cause instanceof NobodyConnectedError) {
    return `nobody is connected to session ${session}: its kurun port-forward has ended or lost the network`;
  }
  if (cause instanceof SessionEndedError) {
    return `the connection to the program behind session ${session} was lost before it answered; the request may have been delivered`;
  }
  return cause instanceof StreamResetError ? "the program reset the connection before it answered" : cause.message;
}
