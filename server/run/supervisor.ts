import {
  type ClientMessage,
  type Connection,
  encodeAccepted,
  encodeMessage,
  encodeRefused,
  parseClientMessage,
  readMessages,
  readRunPreamble,
  relay,
  ResumableReceiver,
  type RunPreamble,
  type RunRequest,
  sendResumable,
  type Stream,
  type SupervisorMessage,
} from "../../tunnel/mod.ts";
import { ReceivedProgram } from "./received_program.ts";
import { RunningProgram } from "./running_program.ts";
import type { SpawnedProcess, SpawnOptions } from "./spawn_process.ts";

/** How long a program that is replaced may take to end by itself. */
const REPLACE_MS = 3_000;

/** What a {@link Supervisor} works with. */
export interface SupervisorOptions {
  /** Where programs are stored; it must be writable. */
  readonly folder: string;
  /** This machine's architecture, by Go's name. */
  readonly architecture: string;
  /** How a script is run, with more Deno flags: the program, and the arguments in front of the script's own. */
  readonly scriptCommand: (script: string, flags: readonly string[]) => readonly string[];
  /** Every program's environment; the client's values override it. */
  readonly env: Readonly<Record<string, string>>;
  readonly spawn: (options: SpawnOptions) => SpawnedProcess;
  /** Connects to a port of the program. @throws where nothing listens there */
  readonly dial: (port: number) => Promise<Connection>;
  /** How many processes in this container the kernel has killed for lack of memory. */
  readonly outOfMemory: () => number;
  readonly log: (line: string) => void;
}

interface Run {
  readonly program: RunningProgram;
  readonly input: ResumableReceiver;
  /** Resolve when the client has an output in full. */
  readonly taken: Readonly<Record<"stdout" | "stderr", PromiseWithResolvers<void>>>;
}

/** Runs the client's programs, one after the other, and carries their input and output over the connections that come and go. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #programs = new Map<string, ReceivedProgram>();
  /** Runs by their number, also before they have started; undefined for one that failed to start. */
  readonly #runs = new Map<number, PromiseWithResolvers<Run | undefined>>();
  /** What was said about the last runs, in order; repeated to each client that connects. */
  #said: SupervisorMessage[] = [];
  #control: Stream | undefined;
  #lastSeq = 0;
  #lastRun = 0;
  #current: Run | undefined;
  #starting: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Accepts a stream that the client has opened. */
  accept(stream: Stream): void {
    this.#serve(stream).catch((error) => {
      stream.reset();
      // A lost connection ends its streams; the control port logs that.
      if (stream.failure === undefined || error !== stream.failure) this.#options.log(`a stream was closed: ${error.message}`);
    });
  }

  /**
   * Ends the program, and starts no other. Resolves when the client has its last output and its end, or the time is over.
   * @param graceMs how long the program may take to end by itself, in milliseconds
   * @param lastWordsMs how long to wait for a client, in milliseconds from now
   */
  async stop(graceMs: number, lastWordsMs = graceMs): Promise<void> {
    this.#stopped = true;
    if (!this.#current) return;
    const { program, taken } = this.#current;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, lastWordsMs);
    await program.stop(graceMs);
    // The end is sent as soon as the outputs are complete, so before the client can confirm that it has them.
    await Promise.race([late.promise, Promise.all([taken.stdout.promise, taken.stderr.promise])]);
    clearTimeout(timer);
  }

  async #serve(stream: Stream): Promise<void> {
    const { preamble, rest } = await readRunPreamble(stream);
    switch (preamble.for) {
      case "control":
        return await this.#serveControl(stream, rest);
      case "program":
        return await this.#serveProgram(stream, preamble, rest);
      case "port":
        return await this.#servePort(stream, preamble.port, rest);
      default:
        return await this.#serveRun(stream, preamble, rest);
    }
  }

  async #serveControl(stream: Stream, rest: Uint8Array): Promise<void> {
    stream.send(encodeAccepted());
    this.#control?.reset();
    this.#control = stream;
    stream.send(encodeMessage({ is: "ready", architecture: this.#options.architecture, seq: this.#lastSeq } satisfies SupervisorMessage));
    for (const said of this.#said) stream.send(encodeMessage(said));
    for await (const message of readMessages(stream, rest)) this.#obey(parseClientMessage(message));
  }

  #obey(message: ClientMessage): void {
    if (message.seq <= this.#lastSeq) return;
    this.#lastSeq = message.seq;
    if (message.do === "start") {
      if (message.run <= this.#lastRun) return;
      this.#lastRun = message.run;
      this.#starting = this.#starting.then(() => this.#start(message));
      return;
    }
    this.#runs.get(message.run)?.promise
      .then((run) => {
        if (message.do === "signal") run?.program.signal(message.signal);
        else if (message.do === "close") run?.program.closeOutput(message.output);
        else run?.program.resize(message);
      })
      .catch((error) => this.#options.log(`a request of the client failed: ${error.message}`));
  }

  async #start(request: RunRequest): Promise<void> {
    const { run } = request;
    const settle = this.#run(run).resolve;
    try {
      const program = this.#programs.get(request.sha256);
      if (!program) throw new Error("it was not sent");
      await program.whole;
      // The previous program ends only when the next one can start.
      await this.#current?.program.stop(REPLACE_MS);
      if (this.#stopped) throw new Error("the Pod is being stopped");
      const running = new RunningProgram(this.#options.spawn(this.#command(request, program.path)), this.#options.outOfMemory);
      const taken = { stdout: Promise.withResolvers<void>(), stderr: Promise.withResolvers<void>() };
      this.#current = { program: running, input: new ResumableReceiver(running.stdin), taken };
      settle(this.#current);
      this.#say({ is: "started", run });
      running.ended.then(
        (end) => this.#say({ is: "ended", run, ...end, ...(this.#stopped ? { podStopped: true } : {}) }),
        (error) => this.#say({ is: "failed", run, why: error.message }),
      );
      await this.#forgetOthers(request.sha256, run);
    } catch (error) {
      settle(undefined);
      this.#say({ is: "failed", run, why: (error as Error).message });
    }
  }

  #command({ kind, name, args, env, workdir, stdin, unstable = [], terminal }: RunRequest, path: string): SpawnOptions {
    const flags = unstable.map((feature) => `--unstable-${feature}`);
    const [program = path, ...before] = kind === "script" ? this.#options.scriptCommand(path, flags) : [path];
    const argv = kind === "script" ? [program, ...before, ...args] : [name, ...args];
    const all = { ...this.#options.env, ...Object.fromEntries(env) };
    return { path: program, argv, env: Object.entries(all), workdir, stdin, ...(terminal ? { terminal } : {}) };
  }

  /** Keeps only the current program, and what was said about it and the previous run. */
  async #forgetOthers(sha256: string, run: number): Promise<void> {
    for (const number of this.#runs.keys()) if (number < run - 1) this.#runs.delete(number);
    this.#said = this.#said.filter((said) => said.is === "ready" || said.run >= run - 1);
    for (const [digest, program] of this.#programs) {
      if (digest === sha256) continue;
      this.#programs.delete(digest);
      await Deno.remove(program.path).catch(() => {});
    }
  }

  async #serveProgram(stream: Stream, { sha256, size }: RunPreamble & { for: "program" }, rest: Uint8Array): Promise<void> {
    // A start request may arrive while the answer waits to be sent: it must find the program.
    let program = this.#programs.get(sha256);
    if (!program) this.#programs.set(sha256, program = new ReceivedProgram(this.#options.folder, { sha256, size }));
    await stream.write(encodeAccepted());
    await program.receiver.receive(stream, rest);
  }

  async #serveRun(stream: Stream, { for: name, run: number }: Extract<RunPreamble, { run: number }>, rest: Uint8Array): Promise<void> {
    const run = await this.#run(number).promise;
    if (!run) {
      await stream.write(encodeRefused("it never started"));
      return stream.closeWrite();
    }
    await stream.write(encodeAccepted());
    if (name === "stdin") return await run.input.receive(stream, rest);
    await sendResumable(stream, run.program[name], rest);
    run.taken[name].resolve();
  }

  async #servePort(stream: Stream, port: number, rest: Uint8Array): Promise<void> {
    let connection: Connection;
    try {
      connection = await this.#options.dial(port);
    } catch {
      await stream.write(encodeRefused(`nothing listens on port ${port} in the Pod`));
      return stream.closeWrite();
    }
    try {
      await stream.write(encodeAccepted());
    } catch (error) {
      connection.reset();
      throw error;
    }
    await relay(stream, connection, rest);
  }

  #run(number: number): PromiseWithResolvers<Run | undefined> {
    let run = this.#runs.get(number);
    if (!run) this.#runs.set(number, run = Promise.withResolvers());
    return run;
  }

  #say(message: SupervisorMessage): void {
    this.#said.push(message);
    this.#control?.send(encodeMessage(message));
  }
}
