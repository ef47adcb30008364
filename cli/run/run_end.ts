import type { RunEnd } from "../../tunnel/mod.ts";

/** The user's program has ended, and kurun with it: its exit code is ours, and what there was to say has been said. */
export class ProgramEndedError extends Error {
  override readonly name = "ProgramEndedError";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`the program ended with exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** What is to be said of an end that the program's exit code does not explain; nothing where it does. */
export function describeRunEnd(end: RunEnd, { killedHere }: { readonly killedHere: boolean }): string | undefined {
  if (end.outOfMemory) {
    return `The program was killed (exit code ${end.code}): the Pod's memory ran out. Give it more with --limits memory=…`;
  }
  if (end.signal === "SIGKILL" && !killedHere) {
    return `The program was killed (SIGKILL, exit code ${end.code}), and not by kurun: by itself, or by the node for want of memory`;
  }
  if (end.signal && !["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGKILL", "SIGPIPE"].includes(end.signal)) {
    return `The program was ended by ${end.signal} (exit code ${end.code})`;
  }
  return undefined;
}

/** The program never started: `cause` says why. */
export class NeverStartedError extends Error {
  override readonly name = "NeverStartedError";

  constructor(cause: unknown) {
    super("the program never started", { cause });
  }
}
