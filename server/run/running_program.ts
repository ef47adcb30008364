import { ResendBuffer, type ResumableSink, type RunEnd, type WindowSize } from "../../tunnel/mod.ts";
import type { Descriptor } from "./descriptor.ts";
import type { ProcessEnd, SpawnedProcess } from "./spawn_process.ts";

/** What a program has written and the client has not taken; when it is full the program waits in its write. */
const OUTPUT_BYTES = 4 * 1024 * 1024;
/** Children that a program has left behind may hold its output open: what has said nothing for so long after its end is not waited for. */
const LINGER_MS = 500;
const LOOK_MS = 50;
/** End of file, typed (termios(3), VEOF). */
const END_OF_FILE = 4;

/** A program that was started: its output as it comes, its input, and its end. */
export class RunningProgram {
  readonly stdout: ResendBuffer = new ResendBuffer(OUTPUT_BYTES);
  readonly stderr: ResendBuffer = new ResendBuffer(OUTPUT_BYTES);
  readonly stdin: ResumableSink;
  /** Settles when the process has ended and its output is whole. */
  readonly ended: Promise<RunEnd>;
  readonly #process: SpawnedProcess;
  #gone = false;

  /** @param outOfMemory how often the kernel has ended something here for want of memory */
  constructor(process: SpawnedProcess, outOfMemory: () => number) {
    this.#process = process;
    this.stdin = new ProgramInput(process);
    this.ended = this.#follow(outOfMemory);
  }

  /** Sends a signal, by its name, to the program and what it has started. */
  signal(name: string): void {
    if (!this.#gone || name === "SIGKILL") this.#process.kill(name);
  }

  /** Its terminal has another size. */
  resize(window: WindowSize): void {
    this.#process.resize(window);
  }

  /** Nobody reads that output any more: as with a pipe, the program's next write fails. */
  closeOutput(name: "stdout" | "stderr"): void {
    (name === "stdout" ? this.#process.stdout : this.#process.stderr)?.close();
    const buffer = this[name];
    buffer.taken(buffer.written);
  }

  /** Asks it to end, and ends it after `graceMs` milliseconds; nothing that it has started stays. */
  async stop(graceMs: number): Promise<void> {
    const late = setTimeout(() => this.#process.kill("SIGKILL"), graceMs);
    this.signal("SIGTERM");
    await this.#process.ended;
    clearTimeout(late);
    this.#process.kill("SIGKILL");
  }

  async #follow(outOfMemory: () => number): Promise<RunEnd> {
    const before = outOfMemory();
    const { stdin, stdout, stderr, ended } = this.#process;
    const outputs = [new Output(stdout, this.stdout)];
    if (stderr) outputs.push(new Output(stderr, this.stderr));
    else this.stderr.end();
    const end: ProcessEnd = await ended;
    this.#gone = true;
    await Promise.all(outputs.map((output) => output.finish()));
    // In a terminal the input is the output too, which has to be read to its end first.
    for (const descriptor of [stdin, stdout, stderr]) descriptor?.close();
    return { ...end, ...(end.signal === "SIGKILL" && outOfMemory() > before ? { outOfMemory: true } : {}) };
  }
}

/** Carries one of a program's outputs into its buffer. */
class Output {
  readonly #done: Promise<void>;
  readonly #buffer: ResendBuffer;
  #isDone = false;
  /** Since when a read has brought nothing. */
  #readingSince = 0;

  constructor(from: Descriptor, buffer: ResendBuffer) {
    this.#buffer = buffer;
    this.#done = this.#carry(from).finally(() => {
      this.#isDone = true;
      buffer.end();
    });
  }

  /** The program has ended: what it wrote still comes. */
  async finish(): Promise<void> {
    const since = performance.now();
    while (!this.#isDone) {
      if (this.#readingSince > 0 && performance.now() - Math.max(since, this.#readingSince) > LINGER_MS) return this.#buffer.end();
      await Promise.race([this.#done, new Promise((resolve) => setTimeout(resolve, LOOK_MS))]);
    }
  }

  async #carry(from: Descriptor): Promise<void> {
    for (;;) {
      this.#readingSince = performance.now();
      const bytes = await from.read();
      this.#readingSince = 0;
      if (bytes === null) return;
      const full = this.#buffer.write(bytes);
      if (full) await full;
    }
  }
}

/** A program's input; what it does not read any more is taken and dropped. */
class ProgramInput implements ResumableSink {
  readonly #process: SpawnedProcess;
  #offset = 0;

  constructor(process: SpawnedProcess) {
    this.#process = process;
  }

  get offset(): number {
    return this.#offset;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#process.stdin?.write(bytes);
    this.#offset += bytes.length;
  }

  async end(): Promise<void> {
    const { stdin, stderr } = this.#process;
    if (stderr) stdin?.close();
    else await stdin?.write(new Uint8Array([END_OF_FILE]));
  }
}
