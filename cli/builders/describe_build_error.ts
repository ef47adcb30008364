import type { BuildError } from "./build_error.ts";

/** What to do about a program that needs cgo. */
export const CGO_ADVICE =
  "Use a package in pure Go instead, or build an image with a Dockerfile that runs go build with CGO_ENABLED=1 (kurun build, kurun apply)";

/** Why a build failed and what to do. A compiler has printed its own messages already. */
export function describeBuildError({ failure }: BuildError): string {
  switch (failure.is) {
    case "no-such-file":
      return `there is no file or folder ${failure.given}`;
    case "unknown-kind":
      return `${failure.given} is neither Go (.go), TypeScript (.ts, .tsx, .mts) nor JavaScript (.js, .jsx, .mjs, .cjs), nor a folder of these`;
    case "several":
      return `${failure.given.join(" and ")} are more than one program. Name one script, one folder, or the Go files of one package`;
    case "several-folders":
      return `the Go files must be of one package, but they are in several folders: ${failure.given.join(", ")}`;
    case "go-test-file":
      return `${failure.given} is a test file, which go run does not accept either`;
    case "no-main":
      return `no program was found in ${failure.given}: ` +
        (failure.module
          ? "it has a go.mod but no Go files. Name the folder of the main package, such as ./cmd/NAME"
          : `it has neither Go files nor ${failure.looked.join(", ")}. Name the file itself`);
    case "bad-config":
      return `${failure.path} cannot be read: ${failure.reason}`;
    case "not-main":
      return `${failure.given} is a library, not a program: its package is not main`;
    case "no-go":
      return "go was not found in PATH; it is needed to build Go programs. Install Go from https://go.dev/dl";
    case "needs-cgo":
      return `${failure.package} needs cgo (${failure.files.join(", ")}), and kurun builds Go programs with CGO_ENABLED=0.\n` +
        `  ${CGO_ADVICE}`;
    case "no-bundler":
      return "deno 2.4 or newer was not found in PATH; it is needed to bundle scripts" +
        (failure.node
          ? ", and node_modules has no esbuild. Run npm install --save-dev esbuild, or install Deno from https://deno.com"
          : ". Install Deno from https://deno.com");
    case "failed":
      return failure.module
        ? `${failure.tool} failed before compiling (exit code ${failure.exitCode}), because of the module or its packages: see above`
        : `${failure.tool} failed with exit code ${failure.exitCode}: see above`;
    case "no-output":
      return `${failure.tool} succeeded but wrote no program`;
    case "too-large": {
      const [size, most] = [failure.bytes, failure.most].map((bytes) => Math.round(bytes / 1e6));
      return `the program has ${size} MB; the Pod takes at most ${most} MB`;
    }
  }
}
