import { BuildError } from "./build_error.ts";
import type { GoSource } from "./program_source.ts";
import { outputOf, runCompiler } from "./run_compiler.ts";

/** The environment in which `go` builds for the cluster's nodes, without cgo: no C compiler here, no C library there. */
export function goTarget(architecture: string): Record<string, string> {
  return { GOOS: "linux", GOARCH: architecture, CGO_ENABLED: "0" };
}

/** Runs a `go` command. @returns its output, or undefined if it failed @throws BuildError if there is no `go`, or the signal's reason */
export async function goSays(
  args: readonly string[],
  folder: string,
  { env, signal }: { env: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<string | undefined> {
  const { success, text } = await withGo(() => outputOf({ program: "go", args, folder, env, signal }));
  return success ? text : undefined;
}

/** Runs `go` to its end. @returns its exit code @throws as {@link runCompiler} does, and BuildError if there is no `go` */
export async function runGo(args: string[], call: Omit<Parameters<typeof runCompiler>[0], "program" | "args">): Promise<number> {
  return await withGo(() => runCompiler({ program: "go", args, ...call }));
}

async function withGo<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    const text = "go was not found in PATH; it is needed to build Go programs. Install Go from https://go.dev/dl";
    throw new BuildError("no-go", text, { cause });
  }
}

type GoLists = "GoFiles" | "IgnoredGoFiles" | "CgoFiles" | "SFiles" | "HFiles" | "SysoFiles" | "EmbedFiles" | "EmbedPatterns";

/** A package in `go list -json`; it has the fields that were asked for. */
export interface GoPackage extends Readonly<Partial<Record<GoLists, readonly string[]>>> {
  readonly ImportPath: string;
  readonly Dir?: string;
  readonly Standard?: boolean;
  readonly Module?: { readonly Version?: string; readonly GoMod?: string; readonly Replace?: { readonly Version?: string } };
}

/** Lists the packages of a source and all that they import, also those that do not compile. @throws as {@link goSays} does */
export async function goPackages(source: GoSource, fields: string, options: Parameters<typeof goSays>[2]): Promise<GoPackage[]> {
  const text = await goSays(["list", "-e", "-deps", `-json=${fields}`, ...source.packages], source.folder, options);
  return [...jsonValues(text ?? "")] as GoPackage[];
}

/** Parses several JSON objects in a row as Go prints them: the first and last line of each is a single brace. */
export function* jsonValues(text: string): Generator<unknown, void> {
  for (const value of text.split(/^(?<=\}\n)(?=\{)/m)) if (value.trim() !== "") yield JSON.parse(value);
}
