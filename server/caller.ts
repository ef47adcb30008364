import { type Connection, readAnswer, relay, type RelayEnd, SessionEndedError, type Stream } from "../tunnel/mod.ts";
import { callerProtocol, http1Answer, http2Goodbye, requestRest } from "./error_answer.ts";

/** Of a request's start this much is kept until its answer begins, to know how to say no. */
const HEAD_BYTES = 8 * 1024;
/** Of a request that is refused this much is read, and for so long, so that the caller reads the answer and not a reset. */
const DRAIN_BYTES = 4 * 1024 * 1024;
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

  async #first(): Promise<Uint8Array | null> {
    const { refused, rest } = await readAnswer(this.#stream);
    if (refused !== undefined) throw new RefusedError(refused);
    this.#dialed = true;
    return rest.length > 0 ? rest : this.#stream.read();
  }
}

/**
 * A caller's connection that is told in its own protocol what went wrong, as long as no byte of an answer has been sent. Later, a break
 * is a reset: half an answer must never look whole.
 */
export class CallerConnection implements Connection {
  readonly #connection: Connection;
  readonly #session: string;
  #head: Uint8Array | undefined;
  #received = 0;
  #pending: Promise<Uint8Array | null> | undefined;
  #answered = false;
  #over = false;

  /** @param session the session's name, for the sentences */
  constructor(connection: Connection, session: string) {
    this.#connection = connection;
    this.#session = session;
  }

  read(): Promise<Uint8Array | null> {
    if (this.#answered) return this.#connection.read();
    this.#pending = this.#readAndNote();
    return this.#pending;
  }

  write(bytes: Uint8Array): void | Promise<void> {
    this.#answered = true;
    return this.#connection.write(bytes);
  }

  closeWrite(): void {
    const asked = this.#head !== undefined && callerProtocol(this.#head) === "http1";
    if (this.#answered || !asked) return this.#connection.closeWrite();
    this.reset(new Error("the program behind it closed the connection without an answer"));
  }

  reset(cause?: Error): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#answered || !cause) return this.#connection.reset();
    this.#sayNo(cause).catch(() => this.#connection.reset());
  }

  async #readAndNote(): Promise<Uint8Array | null> {
    const bytes = await this.#connection.read();
    if (bytes) this.#head ??= bytes.slice(0, HEAD_BYTES);
    this.#received += bytes?.length ?? 0;
    return bytes;
  }

  async #sayNo(cause: Error): Promise<void> {
    const deadline = new Deadline(DRAIN_MS);
    try {
      if (this.#head === undefined) await deadline.race(this.#pending ?? this.read());
      const head = this.#head ?? new Uint8Array();
      const protocol = callerProtocol(head);
      if (protocol === "other") return this.#connection.reset();
      const { status, sentence } = describe(cause, this.#session);
      if (protocol === "http1") await this.#drain(Math.min(DRAIN_BYTES, requestRest(head, this.#received)), deadline);
      await this.#connection.write(protocol === "http1" ? http1Answer(head, status, sentence) : http2Goodbye(sentence));
      this.#connection.closeWrite();
      await this.#drain(DRAIN_BYTES, new Deadline(DRAIN_MS));
    } finally {
      deadline.stop();
    }
    this.#connection.reset();
  }

  async #drain(limit: number, deadline: Deadline): Promise<void> {
    let left = limit;
    while (left > 0) {
      this.#pending = this.#connection.read();
      const bytes = await deadline.race(this.#pending);
      if (!bytes) return;
      left -= bytes.length;
    }
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
