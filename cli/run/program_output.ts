import type { UserStdio } from "../command/user_stdio.ts";
import type { RunScreen } from "./run_screen.ts";

/** The end of the output that is kept, in bytes: room for an error and its stack trace. */
const TAIL_BYTES = 8 * 1024;

/** Writes the program's stdout and stderr to kurun's own, and knows whether all of it was written. */
export class ProgramOutput {
  readonly #stdio: Pick<UserStdio, "write">;
  readonly #screen: Pick<RunScreen, "clear" | "say">;
  #tail: Uint8Array[] = [];
  /** The size of {@link #tail}. Not summed up at each write: a program may write single bytes. */
  #tailBytes = 0;
  /** Whether output was lost, as on a full disk. Output after a reader has closed its pipe, as `head` does, is not. */
  lost = false;

  constructor(stdio: Pick<UserStdio, "write">, screen: Pick<RunScreen, "clear" | "say">) {
    this.#stdio = stdio;
    this.#screen = screen;
  }

  /** The last few kilobytes of stdout and stderr together. */
  get tail(): string {
    const decoder = new TextDecoder();
    // A write may end within a character.
    return this.#tail.map((bytes) => decoder.decode(bytes, { stream: true })).join("");
  }

  /** Writes all of `bytes`. @throws why they could not be written; if output is lost, the user has been told */
  async write(output: "stdout" | "stderr", bytes: Uint8Array): Promise<void> {
    this.#screen.clear();
    this.#keepTail(bytes);
    try {
      await this.#stdio.write(output, bytes);
    } catch (error) {
      // A reader that closed its end of the pipe (on Windows ERROR_BROKEN_PIPE, ERROR_NO_DATA) or of the socket wants no more.
      if (!(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset)) {
        this.lost = true;
        this.#screen.say(`error: the program's ${output} could not be written: ${(error as Error).message}. The rest of it is lost.`);
      }
      throw error;
    }
  }

  #keepTail(bytes: Uint8Array): void {
    const last = bytes.slice(-TAIL_BYTES);
    this.#tail.push(last);
    this.#tailBytes += last.length;
    while (this.#tailBytes - (this.#tail[0] as Uint8Array).length >= TAIL_BYTES) {
      this.#tailBytes -= (this.#tail.shift() as Uint8Array).length;
    }
  }
}
