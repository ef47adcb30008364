/** Why a build failed. `given` is always what the user typed. */
export type BuildFailure =
  | { readonly is: "no-such-file"; readonly given: string }
  /** The file is neither Go, TypeScript nor JavaScript. */
  | { readonly is: "unknown-kind"; readonly given: string }
  /** Go files together with something else, or several scripts or folders. */
  | { readonly is: "several"; readonly given: readonly string[] }
  /** Go files of more than one folder. */
  | { readonly is: "several-folders"; readonly given: readonly string[] }
  | { readonly is: "go-test-file"; readonly given: string }
  /** A folder without a program. `looked` are the names that were tried; `module` is whether it has a go.mod. */
  | { readonly is: "no-main"; readonly given: string; readonly looked: readonly string[]; readonly module: boolean }
  /** A configuration file that cannot be read. */
  | { readonly is: "bad-config"; readonly path: string; readonly reason: string }
  /** A Go package other than main. */
  | { readonly is: "not-main"; readonly given: string }
  | { readonly is: "no-go" }
  /** kurun builds without cgo, and `files` of `package` need it. */
  | { readonly is: "needs-cgo"; readonly package: string; readonly files: readonly string[] }
  /** There is no bundler. `node` is whether the project has a package.json, so that esbuild would do. */
  | { readonly is: "no-bundler"; readonly node: boolean }
  /** The compiler has printed its errors. `module` is whether Go failed before compiling, over go.mod, go.sum or go.work. */
  | { readonly is: "failed"; readonly tool: string; readonly exitCode: number; readonly module: boolean }
  /** The compiler reported success but wrote no file. */
  | { readonly is: "no-output"; readonly tool: string }
  /** The program has `bytes`; the Pod takes `most`. */
  | { readonly is: "too-large"; readonly bytes: number; readonly most: number };

/** A program could not be built. `describe_build_error.ts` has the text for it. */
export class BuildError extends Error {
  override readonly name = "BuildError";
  readonly failure: BuildFailure;

  constructor(failure: BuildFailure, options?: ErrorOptions) {
    super(`cannot build: ${failure.is}`, options);
    this.failure = failure;
  }

  /** Whether the command line is wrong, and not the source or this machine. */
  get usage(): boolean {
    return ["no-such-file", "unknown-kind", "several", "several-folders", "go-test-file", "no-main", "not-main"].includes(this.failure.is);
  }
}
