import type { Context } from "../command/context.ts";
import type { RunScreen } from "./run_screen.ts";

/** The end of the output that is kept, in bytes: room for an error and its stack trace. */
const TAIL_BYTES = 8 * 1024;

/** What a {@link ProgramOutput} works with. */
export interface ProgramOutputOptions {
  readonly context: Pick<Context, "stdio">;
  readonly screen: Pick<RunScreen, "clear" | "say">;
}

/** Writes the program's stdout and stderr to kurun's own, and knows whether all of it was written. */
export class ProgramOutput {
  readonly #options: ProgramOutputOptions;
  #tail: Uint8Array[] = [];
  #lost = false;

  constructor(options: ProgramOutputOptions) {
    this.#options = options;
  }

  /** Whether output was lost, as on a full disk. Output after a reader has closed its pipe, as `head` does, is not. */
  get lost(): boolean {
    return this.#lost;
  }

  /** The last few kilobytes of stdout and stderr together. */
  get tail(): string {
    return this.#tail.map((bytes) => new TextDecoder().decode(bytes)).join("");
  }

  /** Writes all of `bytes`. @throws why they could not be written; if output is lost, the user has been told */
  async write(output: "stdout" | "stderr", bytes: Uint8Array): Promise<void> {
    const { context, screen } = this.#options;
    screen.clear();
    this.#keepTail(bytes);
    try {
      await context.stdio.write(output, bytes);
    } catch (error) {
      if (!readerHasGone(error)) {
        this.#lost = true;
        screen.say(`error: the program's ${output} could not be written: ${(error as Error).message}. The rest of it is lost.`);
      }
      throw error;
    }
  }

  #keepTail(bytes: Uint8Array): void {
    this.#tail.push(bytes.slice(-TAIL_BYTES));
    let size = this.#tail.reduce((sum, piece) => sum + piece.length, 0);
    while (size - (this.#tail[0] as Uint8Array).length >= TAIL_BYTES) size -= (this.#tail.shift() as Uint8Array).length;
  }
}

/** The reader closed its end of the pipe, on Windows too (ERROR_BROKEN_PIPE, ERROR_NO_DATA), or of the socket. */
function readerHasGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset;
}
