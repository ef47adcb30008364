/** A signal that the user sends to kurun and that may go to a program instead. */
export type UserSignal = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGQUIT";

/** Standard input and output as a program has them, and what is between them and the user. main.ts makes the real one. */
export interface UserStdio {
  /** Whether standard input is there to be read: not where it is a terminal that another job has now. */
  readonly readable: boolean;
  readonly stdinIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  /** The next bytes of standard input; null at its end. */
  read(): Promise<Uint8Array | null>;
  /** Writes all of the bytes. @throws Deno.errors.BrokenPipe where nobody reads any more */
  write(output: "stdout" | "stderr", bytes: Uint8Array): Promise<void>;
  /** Standard input's terminal hands each key on as it is typed, and does nothing about it. */
  setRaw(raw: boolean): void;
  /** The terminal's size, in characters. */
  size(): { readonly columns: number; readonly rows: number };
  /** Tells of changes of the size. @returns what ends that */
  onResize(listener: () => void): () => void;
  /** Has signals told to `taker`, which would interrupt kurun otherwise. @returns what ends that */
  takeSignals(taker: (signal: UserSignal) => void): () => void;
}
