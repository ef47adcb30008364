/** Mistakes in the command line. */
const USAGE = ["no-such-file", "unknown-kind", "several", "several-folders", "go-test-file", "no-main", "not-main"] as const;
/** Failures that a change of the source may end; the others are about this machine or the command line. */
const CURABLE: readonly string[] = ["failed", "needs-cgo", "no-output", "too-large", "bad-config", "not-main"];

/** Why a program could not be built. */
export type BuildErrorCode =
  | typeof USAGE[number]
  | "bad-config"
  | "no-go"
  | "no-bundler"
  | "needs-cgo"
  /** The compiler has printed its errors. */
  | "failed"
  | "no-output"
  | "too-large";

/** A program could not be built; the message is for the user. */
export class BuildError extends Error {
  override readonly name = "BuildError";
  readonly code: BuildErrorCode;

  constructor(code: BuildErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Whether the command line is wrong, and not the source or this machine. */
  get usage(): boolean {
    return (USAGE as readonly string[]).includes(this.code);
  }

  /** Whether a change of the source may fix it. */
  get curable(): boolean {
    return CURABLE.includes(this.code);
  }
}
