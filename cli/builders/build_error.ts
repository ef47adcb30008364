/** Mistakes in the command line. */
const USAGE = ["no-such-file", "unknown-kind", "several", "several-folders", "go-test-file", "no-main", "not-main"] as const;
/** Failures that a change of the source may end; the others are about this machine or the command line. */
const CURABLE = ["failed", "needs-cgo", "no-output", "too-large", "bad-config", "not-main"] as const;

/** Why a program could not be built; at "failed" the compiler has printed its errors. */
export type BuildErrorCode = typeof USAGE[number] | typeof CURABLE[number] | "no-go" | "no-bundler";

/** A program could not be built; the message is for the user. */
export class BuildError extends Error {
  override readonly name = "BuildError";

  constructor(readonly code: BuildErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
  }

  /** Whether the command line is wrong, and not the source or this machine. */
  get usage(): boolean {
    return USAGE.some((code) => code === this.code);
  }

  /** Whether a change of the source may fix it. */
  get curable(): boolean {
    return CURABLE.some((code) => code === this.code);
  }
}
