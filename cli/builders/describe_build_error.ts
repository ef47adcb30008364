import type { BuildError } from "./build_error.ts";

/** What to do about a program that needs cgo. */
export const CGO_ADVICE =
  "Use a package in pure Go instead, or build an image with a Dockerfile that runs go build with CGO_ENABLED=1 (kurun build, kurun apply).";

/** Why the source is no program, and what to do; what a compiler said was shown when it said it. */
export function describeBuildError({ failure }: BuildError): string {
  switch (failure.is) {
    case "no-such-file":
      return `there is no file or folder ${failure.given}`;
    case "unknown-kind":
      return `${failure.given} is neither Go (.go), TypeScript (.ts, .tsx, .mts) nor JavaScript (.js, .jsx, .mjs, .cjs), nor a folder of these`;
    case "several":
      return `${failure.given.join(" and ")} are more than one program: name one script, one folder, or the Go files of one package`;
    case "several-folders":
      return `the named Go files must be of one package, and these are of several folders: ${failure.given.join(", ")}`;
    case "go-test-file":
      return `${failure.given} is a test, which go run does not run either`;
    case "no-main":
      return `${failure.given} has no program that was found: ` +
        (failure.module
          ? "it has a go.mod and no Go files; name the folder of its main package, such as ./cmd/NAME"
          : `neither Go files nor ${failure.looked.join(", ")}; name the file itself`);
    case "bad-config":
      return `${failure.path} cannot be read: ${failure.reason}`;
    case "not-main":
      return `${failure.given} is a library: its package is not main`;
    case "no-go":
      return "there is no go in PATH, and Go programs are built by it: see https://go.dev/dl";
    case "needs-cgo":
      return `${failure.package} needs cgo (${failure.files.join(", ")}), and kurun builds Go programs with CGO_ENABLED=0.\n` +
        `  ${CGO_ADVICE}`;
    case "no-bundler":
      return "nothing here can bundle the script: there is no deno (2.4 or newer) in PATH" +
        (failure.node
          ? " and no esbuild in node_modules: npm install --save-dev esbuild, or see https://deno.com"
          : ": see https://deno.com");
    case "failed":
      return failure.module
        ? `${failure.tool} did not get as far as compiling (exit code ${failure.exitCode}): the module or its packages are not in order, see above`
        : `${failure.tool} ended with exit code ${failure.exitCode}: what it said is above`;
    case "no-output":
      return `${failure.tool} ended without an error and without a program`;
    case "too-large": {
      const [size, most] = [failure.bytes, failure.most].map((bytes) => Math.round(bytes / 1e6));
      return `the program has ${size} MB, and the Pod takes ${most} at most`;
    }
  }
}
