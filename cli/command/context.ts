import type { ErrorText } from "./errors.ts";
import type { UserStdio } from "./user_stdio.ts";

/** All that a command has of the world around it; main.ts makes the real one, tests make their own. */
export interface Context {
  /** The command line after the program's name. */
  readonly args: readonly string[];
  /** What the user typed to start it, for help: `kurun`, or `kubectl kurun` where kubectl runs it as a plugin. */
  readonly program: string;
  /** An environment variable. */
  env(name: string): string | undefined;
  /** The user's home folder, where there is one. */
  readonly home: string | undefined;
  /** Who runs this and on which machine, to show to others. */
  readonly who: string;
  readonly from: string;
  /** Writes data to standard output exactly as given: manifests, JSON, completion scripts. */
  data(text: string): void;
  /** Writes results for people to standard output. Control characters in it are shown and not obeyed, wherever the text came from. */
  stdout(text: string): void;
  /** Writes messages to standard error, made safe as {@linkcode stdout} does. */
  stderr(text: string): void;
  /** What the user reads about an error. Commands use it where they go on after one; one that they throw is described for them. */
  describe(error: unknown): ErrorText;
  /**
   * Standard error's terminal, where it is one. `columns` is its present width. `write` passes escape sequences on: text from outside
   * goes through {@linkcode terminalText} first.
   */
  readonly terminal?: { columns(): number; write(text: string): void } | undefined;
  /** Standard input and output for a program that runs elsewhere. */
  readonly stdio: UserStdio;
  /** Whether standard input is a terminal that somebody may type into. */
  readonly interactive: boolean;
  /** Aborted when the user wants it to end (Ctrl+C, SIGTERM); a second time ends the process without asking. */
  readonly interrupted: AbortSignal;
  /** Sets what is said when a second interrupt ends the process: what stays behind, and for how long. */
  leave(sentence: string | undefined): void;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** The time of day. */
  date(): Date;
  /** Random bytes fit for keys. */
  random(bytes: number): Uint8Array;
}
