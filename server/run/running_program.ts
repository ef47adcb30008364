import { ResendBuffer, type ResumableSink, type RunEnd, type WindowSize } from "../../tunnel/mod.ts";
import type { Descriptor } from "./descriptor.ts";
import type { SpawnedProcess } from "./spawn_process.ts";

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
    this.stdin = programInput(process);
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
    const finishing = [readOutput(stdout, this.stdout, ended)];
    if (stderr) finishing.push(readOutput(stderr, this.stderr, ended));
    else this.stderr.end();
    const end = await ended;
    this.#gone = true;
    await Promise.all(finishing);
    // In a terminal the input is also the output, which must be read to its end first.
    for (const descriptor of [stdin, stdout, stderr]) descriptor?.close();
    return { ...end, ...(end.signal === "SIGKILL" && outOfMemory() > before ? { outOfMemory: true } : {}) };
  }
}

/** Reads one of a program's outputs into its buffer, to its end, or until it is silent after the program has ended. */
async function readOutput(from: Descriptor, buffer: ResendBuffer, ended: Promise<unknown>): Promise<void> {
  let isDone = false;
  /** Since when a read has been waiting; 0 if none is. */
  let readingSince = 0;
  const carry = async () => {
    for (;;) {
      readingSince = performance.now();
      const bytes = await from.read();
      readingSince = 0;
      if (bytes === null) return;
      const full = buffer.write(bytes);
      if (full) await full;
    }
  };
  const done = carry().finally(() => {
    isDone = true;
    buffer.end();
  });
  await Promise.race([done, ended]);
  const since = performance.now();
  while (!isDone) {
    if (readingSince > 0 && performance.now() - Math.max(since, readingSince) > LINGER_MS) return buffer.end();
    await Promise.race([done, new Promise((resolve) => setTimeout(resolve, LOOK_MS))]);
  }
}

/** A program's input. What the program no longer reads is dropped. */
function programInput({ stdin, stderr }: SpawnedProcess): ResumableSink {
  let offset = 0;
  return {
    get offset() {
      return offset;
    },
    write: async (bytes) => {
      await stdin?.write(bytes);
      offset += bytes.length;
    },
    end: async () => {
      if (stderr) stdin?.close();
      else await stdin?.write(new Uint8Array([END_OF_FILE]));
    },
  };
}
