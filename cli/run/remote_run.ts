import {
  encodePreamble,
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
export interface SentProgram extends ResumableSource {
  /** Its digest, as hex digits. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

/** Writes a piece of what a program wrote. */
export type OutputWriter = (output: "stdout" | "stderr", bytes: Uint8Array) => Promise<void>;

/** How a program is run: a {@link RunRequest} without what its client adds. */
export type RunSettings = Omit<RunRequest, "do" | "run" | "stdin" | "sha256">;

/** The supervisor could not start a program; the message says why. */
export class NotStartedError extends Error {
  override readonly name = "NotStartedError";
}

/** One run of a program in the Pod, with its input, output and end, over all connections. */
export class RemoteRun {
  /** The program's standard input. */
  readonly input: ResendBuffer = new ResendBuffer(INPUT_BYTES);
  readonly #program: SentProgram;
  readonly #outputs: readonly OutputSink[];
  readonly #started = Promise.withResolvers<void>();
  /** Resolves when the program has started. @throws NotStartedError */
  readonly started: Promise<void> = this.#started.promise;
  readonly #ended = Promise.withResolvers<RunEnd>();
  readonly #before: Promise<void>;
  #hasStarted = false;

  /**
   * @param number counts the runs of a session from 1
   * @param write writes the program's output here
   * @param before the output of the run before, which comes first
   */
  constructor(readonly number: number, program: SentProgram, write: OutputWriter, before: Promise<void>) {
    this.#program = program;
    this.#before = before;
    this.#outputs = [new OutputSink("stdout", write), new OutputSink("stderr", write)];
    this.#started.promise.catch(() => {});
    this.#ended.promise.catch(() => {});
  }

  /** Resolves when all of its output has been written here. */
  get outputDone(): Promise<void> {
    return Promise.all(this.#outputs.map(({ done }) => done.promise)).then(() => {});
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
      const { is: _is, run: _run, ...end } = message;
      this.#started.resolve();
      return this.#ended.resolve(end);
    }
    const error = new NotStartedError(message.why);
    this.#started.reject(error);
    this.#ended.reject(error);
    for (const output of this.#outputs) output.end();
  }

  /** Continues on this connection. */
  attach(session: Session): void {
    if (this.#outputs.every(({ over }) => over)) return;
    const program = this.#program;
    // A program that has started is not offered again: its file may be gone from this machine.
    if (!this.#hasStarted) {
      const { sha256, size } = program;
      this.#serve(session, { for: "program", sha256, size }, (stream, rest) => sendResumable(stream, program, rest));
    }
    this.#serve(session, { for: "stdin", run: this.number }, (stream, rest) => sendResumable(stream, this.input, rest));
    for (const { name, over, receiver } of this.#outputs) {
      if (over) continue;
      this.#serve(session, { for: name, run: this.number }, async (stream, rest) => {
        await this.#before;
        await receiver.receive(stream, rest);
      });
    }
  }

  /** Serves a stream until it ends; if its connection is lost, the next one continues. */
  #serve(session: Session, preamble: RunPreamble, serve: (stream: Stream, rest: Uint8Array) => Promise<void>): void {
    void (async () => {
      const stream = session.open(encodePreamble(preamble));
      try {
        const { refused, rest } = await readAnswer(stream);
        if (refused === undefined) await serve(stream, rest);
      } catch {
        stream.reset();
      }
    })().catch(() => {});
  }
}

/** Writes one of a program's outputs here; after a failed write the rest is dropped. */
class OutputSink implements ResumableSink {
  readonly receiver: ResumableReceiver = new ResumableReceiver(this);
  readonly done: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #write: OutputWriter;
  #broken = false;
  offset = 0;
  over = false;

  constructor(readonly name: "stdout" | "stderr", write: OutputWriter) {
    this.#write = write;
  }

  async write(bytes: Uint8Array): Promise<void> {
    // Counted before the write: a connection that is lost meanwhile must not make the next one send these bytes again.
    this.offset += bytes.length;
    if (this.#broken) return;
    await this.#write(this.name, bytes).catch(() => this.#broken = true);
  }

  end(): void {
    this.over = true;
    this.done.resolve();
  }
}
