import { join } from "node:path";
import { BuildError } from "./build_error.ts";
import { type BuiltProgram, builtProgram } from "./built_program.ts";
import type { GoSource } from "./program_source.ts";
import { runCompiler } from "./run_compiler.ts";

/** How to build a Go program. */
export interface GoBuildOptions {
  /** The node's, in Go's words: amd64, arm64. */
  readonly architecture: string;
  /**
   * The same source gives the same bytes wherever it lies, as images want it. Stack traces then name files by their package, and what
   * `go build` and `go test` have compiled before is compiled anew, so `kurun run` goes without.
   */
  readonly reproducible?: boolean;
  /** Gets what `go` says. */
  readonly stderr: (text: string) => void;
  readonly signal: AbortSignal;
  /** Added to kurun's environment for `go`; for tests. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Lines that `go` begins so come before any compiling; a compiler's errors stand below a line `# PACKAGE`. */
const MODULE_TROUBLE =
  /^go: (?!downloading |finding |extracting )|^go: .*\bgo\.(?:mod|sum|work)\b|no required module provides package|missing go\.sum entry/m;
/** What the linker leaves out: symbols for debuggers, a third of the file. Stack traces need none of it. */
const STRIPPED = "-ldflags=-s -w";

/**
 * Builds a static Linux executable by the user's own `go`, which knows about modules, workspaces, vendor folders, proxies and its cache.
 *
 * @throws BuildError, or the signal's reason
 */
export function buildGo(source: GoSource, options: GoBuildOptions): Promise<BuiltProgram> {
  const { architecture, reproducible = false, stderr, signal } = options;
  return builtProgram({ kind: "executable", unstable: [] }, async (folder) => {
    const output = join(folder, "program");
    // No version control's state: its stamp would make another program of every commit, and fails where git does.
    const flags = ["-buildvcs=false", ...reproducible ? ["-trimpath"] : [], ...await linkerFlags(source, options)];
    let said = "";
    const exitCode = await go(["build", ...flags, "-o", output, ...source.packages], {
      folder: source.folder,
      // Go's own temporary files go with ours, also where it had to be killed.
      env: { ...options.env, ...goTarget(architecture), GOTMPDIR: folder },
      stderr: (text) => {
        said += text;
        stderr(text);
      },
      signal,
    });
    if (exitCode !== 0) {
      const module = MODULE_TROUBLE.test(said) && !/^# /m.test(said);
      throw new BuildError({ is: "failed", tool: "go build", exitCode, module });
    }
    if (!await isExecutable(output)) throw new BuildError({ is: "not-main", given: source.given });
    return output;
  });
}

/** What makes `go` build for the cluster's nodes, without a C compiler or the node's C library. */
export function goTarget(architecture: string): Record<string, string> {
  return { GOOS: "linux", GOARCH: architecture, CGO_ENABLED: "0" };
}

/** The user's own linker flags (GOFLAGS=-ldflags=-X…) hold; a flag of ours would replace them. */
async function linkerFlags(source: GoSource, { env, signal }: GoBuildOptions): Promise<string[]> {
  const flags = await goSays(["env", "GOFLAGS"], source.folder, { env: env ?? {}, signal });
  return /-ldflags\b/.test(flags ?? "") ? [] : [STRIPPED];
}

/**
 * Asks `go` for something.
 * @returns what it printed, or undefined where it failed
 * @throws BuildError where there is no `go`, or the signal's reason
 */
export async function goSays(
  args: readonly string[],
  folder: string,
  { env, signal }: { env: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<string | undefined> {
  signal.throwIfAborted();
  const { success, stdout } = await withGo(() =>
    new Deno.Command("go", { args: [...args], cwd: folder, env: { ...env }, stdin: "null", stderr: "null", signal }).output()
  );
  signal.throwIfAborted();
  return success ? new TextDecoder().decode(stdout) : undefined;
}

async function go(args: string[], call: Omit<Parameters<typeof runCompiler>[0], "program" | "args">): Promise<number> {
  return await withGo(() => runCompiler({ program: "go", args, ...call }));
}

async function withGo<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) throw new BuildError({ is: "no-go" }, { cause });
    throw cause;
  }
}

/** Of a library `go build` writes an archive instead, and of several packages nothing. */
async function isExecutable(path: string): Promise<boolean> {
  let file;
  try {
    file = await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  using opened = file;
  const magic = new Uint8Array(4);
  return await opened.read(magic) === 4 && magic[0] === 0x7f && new TextDecoder().decode(magic.subarray(1)) === "ELF";
}
