import { ResendBuffer, type ResumableSink, type RunEnd, type WindowSize } from "../../tunnel/mod.ts";
import type { Descriptor } from "./descriptor.ts";
import type { ProcessEnd, SpawnedProcess } from "./spawn_process.ts";

/** How much a program may write before the client has taken it; then the program blocks in its write. */
const OUTPUT_BYTES = 4 * 1024 * 1024;
/** Children that a program leaves behind may hold its output open: after its end, this much silence ends the output. */
const LINGER_MS = 500;
const LOOK_MS = 50;
/** End of file, typed (termios(3), VEOF). */
const END_OF_FILE = 4;

/** A started program: its output as it arrives, its input, and its end. */
export class RunningProgram {
  readonly stdout: ResendBuffer = new ResendBuffer(OUTPUT_BYTES);
  readonly stderr: ResendBuffer = new ResendBuffer(OUTPUT_BYTES);
  readonly stdin: ResumableSink;
  /** Resolves when the process has ended and its output is complete. */
  readonly ended: Promise<RunEnd>;
  readonly #process: SpawnedProcess;
  #gone = false;

  /** @param outOfMemory how many processes in this container the kernel has killed for lack of memory */
  constructor(process: SpawnedProcess, outOfMemory: () => number) {
    this.#process = process;
    this.stdin = new ProgramInput(process);
    this.ended = this.#follow(outOfMemory);
  }

  /** Sends a signal, by its name, to the program and everything it has started. */
  signal(name: string): void {
    if (!this.#gone || name === "SIGKILL") this.#process.kill(name);
  }

  /** Resizes its terminal. */
  resize(window: WindowSize): void {
    this.#process.resize(window);
  }

  /** Closes an output that nobody reads any more: the program's next write fails, as with a pipe. */
  closeOutput(name: "stdout" | "stderr"): void {
    (name === "stdout" ? this.#process.stdout : this.#process.stderr)?.close();
    const buffer = this[name];
    buffer.taken(buffer.written);
  }

  /** Asks it to end, and kills it after `graceMs` milliseconds, together with everything it has started. */
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
    // In a terminal the input is also the output, which must be read to its end first.
    for (const descriptor of [stdin, stdout, stderr]) descriptor?.close();
    return { ...end, ...(end.signal === "SIGKILL" && outOfMemory() > before ? { outOfMemory: true } : {}) };
  }
}

/** Reads one of a program's outputs into its buffer. */
class Output {
  readonly #done: Promise<void>;
  readonly #buffer: ResendBuffer;
  #isDone = false;
  /** Since when a read has been waiting; 0 where none is. */
  #readingSince = 0;

  constructor(from: Descriptor, buffer: ResendBuffer) {
    this.#buffer = buffer;
    this.#done = this.#carry(from).finally(() => {
      this.#isDone = true;
      buffer.end();
    });
  }

  /** Waits for the output that is still under way once the program has ended. */
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

/** A program's input; what the program does not read any more is dropped. */
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
