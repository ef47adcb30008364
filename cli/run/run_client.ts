import {
  type ClientMessage,
  type ClientRequest,
  encodeMessage,
  encodeRunPreamble,
  parseSupervisorMessage,
  readAnswer,
  readMessages,
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
  type WindowSize,
} from "../../tunnel/mod.ts";

/** What is read of standard input and the Pod has not taken. */
const INPUT_BYTES = 1024 * 1024;

/** A program to be sent. */
export interface SentProgram {
  readonly sha256: string;
  readonly size: number;
  /** Its bytes at an offset; null at the end. */
  readonly read: (offset: number) => Promise<Uint8Array | null>;
  /** Told how many bytes the Pod has. */
  readonly onTaken?: (bytes: number) => void;
}

/** What a run is made of, without its number. */
export type RunWishes = Omit<RunRequest, "do" | "run" | "stdin" | "sha256">;

/** Takes what a program writes. */
export type OutputWriter = (output: "stdout" | "stderr", bytes: Uint8Array) => Promise<void>;

/** A run that never started; `message` says why. */
export class NotStartedError extends Error {
  override readonly name = "NotStartedError";
}

/** The client's side of a supervisor: what was asked for is asked for again, and what was missed is had, on each connection that comes. */
export class RunClient {
  readonly #write: OutputWriter;
  readonly #architecture = Promise.withResolvers<string>();
  #session: Session | undefined;
  #control: Stream | undefined;
  /** Requests that the supervisor may not have had. */
  #requests: ClientMessage[] = [];
  #seq = 0;
  /** The run that goes on, last, and the one before, whose last words may be under way. */
  #runs: ClientRun[] = [];
  #waiting: ((session: Session) => void)[] = [];

  /** @param write takes what programs write, in order; where it throws, the rest is dropped */
  constructor(write: OutputWriter) {
    this.#write = write;
  }

  /** Go's word for the machine that programs run on; known with the first connection. */
  get architecture(): Promise<string> {
    return this.#architecture.promise;
  }

  /** Whether there is a connection to the Pod now. */
  get connected(): boolean {
    return this.#session !== undefined && !this.#session.ended;
  }

  /** Goes on with this connection in place of any before. */
  attach(session: Session): void {
    this.#session = session;
    void this.#follow(session).catch(() => {});
    for (const run of this.#runs) run.attach(session);
    for (const go of this.#waiting.splice(0)) go(session);
  }

  /** Runs a program in place of the one before, which gives up the screen once it has ended. @param stdin whether {@link ClientRun.input} is used */
  start(program: SentProgram, wishes: RunWishes, stdin: boolean): ClientRun {
    const before = this.#runs.at(-1);
    const number = (before?.run ?? 0) + 1;
    const write: OutputWriter = async (output, bytes) => {
      await this.#write(output, bytes).catch((error) => {
        this.closeOutput(number, output);
        throw error;
      });
    };
    const run = new ClientRun(number, program, write, before?.outputDone ?? Promise.resolve());
    this.#runs = [...(before ? [before] : []), run];
    if (this.#session) run.attach(this.#session);
    this.#ask({ do: "start", run: run.run, sha256: program.sha256, stdin, ...wishes });
    return run;
  }

  /** Sends a signal to the run. */
  signal(run: ClientRun, signal: string): void {
    this.#ask({ do: "signal", run: run.run, signal });
  }

  /** Says that nobody reads an output any more. */
  closeOutput(run: number, output: "stdout" | "stderr"): void {
    this.#ask({ do: "close", run, output });
  }

  /** Tells the run's terminal its size. */
  resize(run: ClientRun, { columns, rows }: WindowSize): void {
    this.#ask({ do: "resize", run: run.run, columns, rows });
  }

  /** Opens a connection to a port in the Pod, on this connection to the Pod or the next. @throws Error with a text for people */
  async openPort(port: number, signal: AbortSignal): Promise<{ stream: Stream; rest: Uint8Array }> {
    const session = this.#session && this.connected ? this.#session : await this.#nextSession(signal);
    const stream = session.open(encodeRunPreamble({ for: "port", port }));
    const { refused, rest } = await readAnswer(stream);
    if (refused !== undefined) throw new Error(refused);
    return { stream, rest };
  }

  #nextSession(signal: AbortSignal): Promise<Session> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  async #follow(session: Session): Promise<void> {
    const control = session.open(encodeRunPreamble({ for: "control" }));
    const { refused, rest } = await readAnswer(control);
    if (refused !== undefined) return;
    for await (const value of readMessages(control, rest)) {
      const message = parseSupervisorMessage(value);
      if (message.is === "ready") {
        this.#architecture.resolve(message.architecture);
        this.#requests = this.#requests.filter(({ seq }) => seq > message.seq);
        for (const request of this.#requests) control.send(encodeMessage(request));
        // Before, the order would be lost.
        this.#control = control;
      } else {
        this.#runs.find(({ run }) => run === message.run)?.told(message);
      }
    }
  }

  #ask(request: ClientRequest): void {
    const message: ClientMessage = { seq: ++this.#seq, ...request };
    this.#requests.push(message);
    this.#control?.send(encodeMessage(message));
  }
}

/** One run of a program, as its client has it. */
export class ClientRun {
  readonly run: number;
  #hasStarted = false;
  /** What standard input brings goes here. */
  readonly input: ResendBuffer = new ResendBuffer(INPUT_BYTES);
  readonly #program: SentProgram;
  readonly #outputs: { readonly name: "stdout" | "stderr"; readonly sink: OutputSink; readonly receiver: ResumableReceiver }[];
  readonly #started = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<RunEnd>();
  readonly #before: Promise<void>;

  /** Made by its {@link RunClient}. */
  constructor(run: number, program: SentProgram, write: OutputWriter, before: Promise<void>) {
    this.run = run;
    this.#program = program;
    this.#before = before;
    this.#outputs = (["stdout", "stderr"] as const).map((name) => {
      const sink = new OutputSink((bytes) => write(name, bytes));
      return { name, sink, receiver: new ResumableReceiver(sink) };
    });
    this.#started.promise.catch(() => {});
    this.#ended.promise.catch(() => {});
  }

  /** Settles when the program was started. @throws NotStartedError */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** Settles when all that it wrote is written here. */
  get outputDone(): Promise<void> {
    return Promise.all(this.#outputs.map(({ sink }) => sink.done)).then(() => {});
  }

  /** Its end, once all that it wrote is written here. @throws NotStartedError */
  async ended(): Promise<RunEnd> {
    const end = await this.#ended.promise;
    await this.outputDone;
    return end;
  }

  /** The supervisor tells what has become of it. */
  told(message: { readonly is: "started" } | ({ readonly is: "ended" } & RunEnd) | { readonly is: "failed"; readonly why: string }): void {
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

  /** Goes on with this connection. */
  attach(session: Session): void {
    if (this.#outputs.every(({ sink }) => sink.over)) return;
    if (!this.#hasStarted) this.#offerProgram(session);
    this.#serve(session, { for: "stdin", run: this.run }, (stream, rest) => sendResumable(stream, this.input, rest));
    for (const { name, sink, receiver } of this.#outputs) {
      if (sink.over) continue;
      this.#serve(session, { for: name, run: this.run }, async (stream, rest) => {
        await this.#before;
        await receiver.receive(stream, rest);
      });
    }
  }

  /** Once it has started the Pod has needed it for the last time, and it may be gone here. */
  #offerProgram(session: Session): void {
    const { sha256, size, read, onTaken } = this.#program;
    const source: ResumableSource = { read, taken: (offset) => onTaken?.(offset) };
    this.#serve(session, { for: "program", sha256, size }, (stream, rest) => sendResumable(stream, source, rest));
  }

  /** Serves a stream; where its connection is lost, the next one goes on. */
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
    // Counted before it is written: what is under way when a connection is lost is not asked for again.
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
