/** A signal that the user sends to kurun, which can pass it on to a program. */
export type UserSignal = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGQUIT";

/** Standard input and output, with their terminal. main.ts has the real implementation. */
export interface UserStdio {
  /** Whether standard input can be read: not if it is the terminal of another job. */
  readonly readable: boolean;
  readonly stdinIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  /** Reads the next bytes of standard input; null at its end. */
  read(): Promise<Uint8Array | null>;
  /** Writes all bytes. @throws Deno.errors.BrokenPipe if the reader is gone */
  write(output: "stdout" | "stderr", bytes: Uint8Array): Promise<void>;
  /** Switches the terminal of standard input to raw mode or back. */
  setRaw(raw: boolean): void;
  /** The terminal's size, in characters. */
  size(): { readonly columns: number; readonly rows: number };
  /** Calls `listener` when the size changes. @returns a function that stops this */
  onResize(listener: () => void): () => void;
  /** Passes signals to `taker` instead of interrupting kurun. @returns a function that stops this */
  takeSignals(taker: (signal: UserSignal) => void): () => void;
}
