import type { ErrorText } from "./errors.ts";

/** A command's environment. main.ts has the real one; tests make their own. */
export interface Context {
  /** The command line after the program's name. */
  readonly args: readonly string[];
  /** The command that the user typed, for help: `kurun`, or `kubectl kurun` if kubectl runs it as a plugin. */
  readonly program: string;
  /** An environment variable. */
  env(name: string): string | undefined;
  /** The user's home folder, if any. */
  readonly home: string | undefined;
  /** The user and the machine, to show to other users. */
  readonly who: string;
  readonly from: string;
  /** Writes data to standard output exactly as given: manifests, JSON, completion scripts. */
  data(text: string): void;
  /** Writes results for people to standard output. Control characters are escaped, whatever the source of the text. */
  stdout(text: string): void;
  /** Writes messages to standard error, escaped like {@linkcode stdout}. */
  stderr(text: string): void;
  /** The text of an error. Commands use it for errors after which they continue; errors that they throw are described by the caller. */
  describe(error: unknown): ErrorText;
  /**
   * Standard error, if it is a terminal. `columns` is its current width. `write` does not escape anything: untrusted text must go through
   * {@linkcode terminalText} first.
   */
  readonly terminal?: { columns(): number; write(text: string): void } | undefined;
  /** Standard input and output for a remote program. */
  readonly stdio: UserStdio;
  /** Aborted when the user interrupts kurun (Ctrl+C, SIGTERM); a second time ends the process at once. */
  readonly interrupted: AbortSignal;
  /** Sets the message for a second interrupt: what remains in the cluster, and for how long. */
  leave(sentence: string | undefined): void;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** The time of day. */
  date(): Date;
  /** Random bytes that are suitable for keys. */
  random(bytes: number): Uint8Array;
}

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
