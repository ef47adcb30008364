import {
  encodeRunPreamble,
  readAnswer,
  ResendBuffer,
  ResumableReceiver,
  type ResumableSink,
  type ResumableSource,
  type RunEnd,
  type RunPreamble,
  type RunRequest,
  sendResumable,
  type Session,
  type Stream,
  type SupervisorMessage,
} from "../../tunnel/mod.ts";

/** Standard input that was read and that the Pod has not confirmed, in bytes; the reader waits when it is full. */
const INPUT_BYTES = 1024 * 1024;

/** A program to be sent to the Pod. */
export interface SentProgram {
  /** Its digest, as hex digits. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  /** Returns bytes from an offset; null at the end. */
  readonly read: (offset: number) => Promise<Uint8Array | null>;
  /** Called with the number of bytes that the Pod has. */
  readonly onTaken?: (bytes: number) => void;
}

/** How a program is run: a {@link RunRequest} without what its client adds. */
export type RunSettings = Omit<RunRequest, "do" | "run" | "stdin" | "sha256">;

/** The supervisor could not start a program; the message says why. */
export class NotStartedError extends Error {
  override readonly name = "NotStartedError";
}

/** One run of a program in the Pod, with its input, output and end, over all connections. */
export class RemoteRun {
  readonly number: number;
  /** The program's standard input. */
  readonly input: ResendBuffer = new ResendBuffer(INPUT_BYTES);
  readonly #program: SentProgram;
  readonly #outputs: { readonly name: "stdout" | "stderr"; readonly sink: OutputSink; readonly receiver: ResumableReceiver }[];
  readonly #started = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<RunEnd>();
  readonly #before: Promise<void>;
  #hasStarted = false;

  /**
   * @param number counts the runs of a session from 1
   * @param write writes the program's output here
   * @param before the output of the run before, which comes first
   */
  constructor(
    number: number,
    program: SentProgram,
    write: (output: "stdout" | "stderr", bytes: Uint8Array) => Promise<void>,
    before: Promise<void>,
  ) {
    this.number = number;
    this.#program = program;
    this.#before = before;
    this.#outputs = (["stdout", "stderr"] as const).map((name) => {
      const sink = new OutputSink((bytes) => write(name, bytes));
      return { name, sink, receiver: new ResumableReceiver(sink) };
    });
    this.#started.promise.catch(() => {});
    this.#ended.promise.catch(() => {});
  }

  /** Resolves when the program has started. @throws NotStartedError */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** Resolves when all of its output has been written here. */
  get outputDone(): Promise<void> {
    return Promise.all(this.#outputs.map(({ sink }) => sink.done)).then(() => {});
  }

  /** Resolves when it has ended and all of its output has been written here. @throws NotStartedError */
  async ended(): Promise<RunEnd> {
    const end = await this.#ended.promise;
    await this.outputDone;
    return end;
  }

  /** The supervisor's message about this run. */
  told(message: Exclude<SupervisorMessage, { is: "ready" }>): void {
    this.#hasStarted = message.is !== "failed";
    if (message.is === "started") return this.#started.resolve();
    if (message.is === "ended") {
      const { code, signal, outOfMemory, podStopped } = message;
      this.#started.resolve();
      return this.#ended.resolve({
        code,
        ...(signal ? { signal } : {}),
        ...(outOfMemory ? { outOfMemory } : {}),
        ...(podStopped ? { podStopped } : {}),
      });
    }
    const error = new NotStartedError(message.why);
    this.#started.reject(error);
    this.#ended.reject(error);
    for (const { sink } of this.#outputs) sink.end();
  }

  /** Continues on this connection. */
  attach(session: Session): void {
    if (this.#outputs.every(({ sink }) => sink.over)) return;
    if (!this.#hasStarted) this.#offerProgram(session);
    this.#serve(session, { for: "stdin", run: this.number }, (stream, rest) => sendResumable(stream, this.input, rest));
    for (const { name, sink, receiver } of this.#outputs) {
      if (sink.over) continue;
      this.#serve(session, { for: name, run: this.number }, async (stream, rest) => {
        await this.#before;
        await receiver.receive(stream, rest);
      });
    }
  }

  /** A program that has started is not offered again: its file may be gone from this machine. */
  #offerProgram(session: Session): void {
    const { sha256, size, read, onTaken } = this.#program;
    const source: ResumableSource = { read, taken: (offset) => onTaken?.(offset) };
    this.#serve(session, { for: "program", sha256, size }, (stream, rest) => sendResumable(stream, source, rest));
  }

  /** Serves a stream until it ends; if its connection is lost, the next one continues. */
  #serve(session: Session, preamble: RunPreamble, serve: (stream: Stream, rest: Uint8Array) => Promise<void>): void {
    void (async () => {
      const stream = session.open(encodeRunPreamble(preamble));
      try {
        const { refused, rest } = await readAnswer(stream);
        if (refused === undefined) await serve(stream, rest);
      } catch {
        stream.reset();
      }
    })().catch(() => {});
  }
}

class OutputSink implements ResumableSink {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #done = Promise.withResolvers<void>();
  #offset = 0;
  #broken = false;
  #over = false;

  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  get offset(): number {
    return this.#offset;
  }

  get over(): boolean {
    return this.#over;
  }

  get done(): Promise<void> {
    return this.#done.promise;
  }

  async write(bytes: Uint8Array): Promise<void> {
    // Counted before the write: a connection that is lost meanwhile must not make the next one send these bytes again.
    this.#offset += bytes.length;
    if (this.#broken) return;
    try {
      await this.#write(bytes);
    } catch {
      this.#broken = true;
    }
  }

  end(): void {
    this.#over = true;
    this.#done.resolve();
  }
}
