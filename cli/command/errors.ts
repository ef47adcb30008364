/** kurun's exit codes; docs/cli.md lists them for users. */
export const ExitCode = {
  ok: 0,
  /** Something failed. */
  failed: 1,
  /** The command line is wrong; nothing was created. */
  usage: 2,
  /** The cluster could not be reached or denied access; nothing was created. */
  cluster: 3,
  /** The session ended for good while in use: it was deleted or taken over, or the right to it was revoked. */
  sessionLost: 4,
  /** With `run`: the program never started. Docker and nohup use the same code; programs rarely do. */
  neverStarted: 125,
} as const;

/** An error as the user reads it. */
export interface ErrorText {
  readonly text: string;
  readonly exitCode: number;
}

/** A sentence for the user and the exit code that goes with it. Anything else that is thrown and not described is a bug in kurun. */
export class UserError extends Error {
  override readonly name = "UserError";

  constructor(sentence: string, readonly exitCode: number, options?: ErrorOptions) {
    super(sentence, options);
  }
}

/** The command line is wrong. */
export function usageError(sentence: string, options?: ErrorOptions): UserError {
  return new UserError(sentence, ExitCode.usage, options);
}

/** The user interrupted kurun by a signal. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";

  /** @param exitCode what a shell reports for a command that the signal ends: 128 and its number */
  constructor(readonly exitCode: number) {
    super("interrupted");
  }
}

/** The exit code of a command that failed half-way: that of the signal if the user interrupted it. */
export function failedExitCode({ aborted, reason }: AbortSignal): number {
  return aborted && reason instanceof InterruptedError ? reason.exitCode : ExitCode.failed;
}

/** Ends kurun with this exit code and the text of `cause`, or without a text if the user has read everything. */
export class ExitError extends Error {
  override readonly name = "ExitError";

  constructor(readonly exitCode: number, cause?: unknown) {
    super(`exit code ${exitCode}`, { cause });
  }
}
