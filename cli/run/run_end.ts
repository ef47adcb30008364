import type { RunEnd } from "../../tunnel/mod.ts";

/** The user's program has ended. kurun ends with its exit code, and everything has been said. */
export class ProgramEndedError extends Error {
  override readonly name = "ProgramEndedError";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`the program ended with exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** The program never started; `cause` says why. */
export class NeverStartedError extends Error {
  override readonly name = "NeverStartedError";

  constructor(cause: unknown) {
    super("the program never started", { cause });
  }
}

/** The signals that users end programs with, and the one that a closed pipe sends. */
const ORDINARY_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGKILL", "SIGPIPE"];
/** What to say of a program that ran out of memory. */
export const OUT_OF_MEMORY = "The program was killed (exit code 137): the Pod's memory ran out. Give it more with --limits memory=…";

/** Explains an end that the exit code alone does not explain. @param killedHere whether the user had kurun kill the program */
export function describeRunEnd(end: RunEnd, { killedHere }: { readonly killedHere: boolean }): string | undefined {
  if (end.outOfMemory) return OUT_OF_MEMORY;
  if (end.signal === "SIGKILL" && !killedHere) {
    return `The program was killed (SIGKILL, exit code ${end.code}), not by kurun: it killed itself, or the node did, which may be out of memory`;
  }
  if (end.signal && !ORDINARY_SIGNALS.includes(end.signal)) return `The program was ended by ${end.signal} (exit code ${end.code})`;
  return undefined;
}
