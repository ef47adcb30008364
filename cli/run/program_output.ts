import type { UserStdio } from "../command/context.ts";
import type { RunScreen } from "./run_screen.ts";

/** The end of the output that is kept, in characters: room for an error and its stack trace. */
const TAIL_LENGTH = 8 * 1024;

/** Writes the program's stdout and stderr to kurun's own, and knows whether all of it was written. */
export class ProgramOutput {
  readonly #decoder = new TextDecoder();
  /** The last few kilobytes of stdout and stderr together. */
  tail = "";
  /** Whether output was lost, as on a full disk. Output after a reader has closed its pipe, as `head` does, is not. */
  lost = false;

  constructor(private readonly stdio: Pick<UserStdio, "write">, private readonly screen: Pick<RunScreen, "clear" | "say">) {}

  /** Writes all of `bytes`. @throws why they could not be written; if output is lost, the user has been told */
  async write(output: "stdout" | "stderr", bytes: Uint8Array): Promise<void> {
    this.screen.clear();
    // A write may end within a character.
    this.tail = (this.tail + this.#decoder.decode(bytes.subarray(-TAIL_LENGTH), { stream: true })).slice(-TAIL_LENGTH);
    try {
      await this.stdio.write(output, bytes);
    } catch (error) {
      // A reader that closed its end of the pipe (on Windows ERROR_BROKEN_PIPE, ERROR_NO_DATA) or of the socket wants no more.
      if (!(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset)) {
        this.lost = true;
        this.screen.say(`error: the program's ${output} could not be written: ${(error as Error).message}. The rest of it is lost.`);
      }
      throw error;
    }
  }
}
