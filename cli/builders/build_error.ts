/** Why there is no program. `given` is always what the user typed. */
export type BuildFailure =
  | { readonly is: "no-such-file"; readonly given: string }
  /** Neither Go, TypeScript nor JavaScript. */
  | { readonly is: "unknown-kind"; readonly given: string }
  /** Go files and something else, or several scripts or folders. */
  | { readonly is: "several"; readonly given: readonly string[] }
  /** Go files of more than one folder. */
  | { readonly is: "several-folders"; readonly given: readonly string[] }
  | { readonly is: "go-test-file"; readonly given: string }
  /** A folder in which no program was found; `looked` are the names that were looked for, `module` whether it has a go.mod. */
  | { readonly is: "no-main"; readonly given: string; readonly looked: readonly string[]; readonly module: boolean }
  /** A configuration file that cannot be read. */
  | { readonly is: "bad-config"; readonly path: string; readonly reason: string }
  /** A Go package that is a library. */
  | { readonly is: "not-main"; readonly given: string }
  | { readonly is: "no-go" }
  /** kurun builds without cgo. `files` need it, by their paths as the user would name them; they are of `package`. */
  | { readonly is: "needs-cgo"; readonly package: string; readonly files: readonly string[] }
  /** Nothing that bundles; `node` tells that the project has a package.json, so esbuild would do. */
  | { readonly is: "no-bundler"; readonly node: boolean }
  /** The compiler's own errors were shown already. `module` tells that Go did not get as far as compiling: go.mod, go.sum or go.work. */
  | { readonly is: "failed"; readonly tool: string; readonly exitCode: number; readonly module: boolean }
  /** The compiler says it succeeded, and there is no file. */
  | { readonly is: "no-output"; readonly tool: string }
  /** The Pod has no room for it: `bytes`, and the most that it takes. */
  | { readonly is: "too-large"; readonly bytes: number; readonly most: number };

/** The source could not be made into a program. `cli/builders/describe_build_error.ts` makes a sentence of it. */
export class BuildError extends Error {
  override readonly name = "BuildError";
  readonly failure: BuildFailure;

  constructor(failure: BuildFailure, options?: ErrorOptions) {
    super(`cannot build: ${failure.is}`, options);
    this.failure = failure;
  }

  /** Whether it is the command line that must change, and not the source or this machine. */
  get usage(): boolean {
    return ["no-such-file", "unknown-kind", "several", "several-folders", "go-test-file", "no-main", "not-main"].includes(this.failure.is);
  }
}
