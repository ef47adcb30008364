import type { Command } from "commander";
import { collect } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { usageError } from "../command/errors.ts";
import { inReadingOrder, type Loaded, loadManifests } from "./load_manifests.ts";
import { describeProblem, ManifestError } from "./manifest_error.ts";
import { type ManifestFile, readManifestFiles } from "./manifest_files.ts";

/** Adds what says which manifests: `-f`, `-R`, and more files as a shell's `*` gives them. */
export function addManifestFlags(command: Command): Command {
  return command
    .argument("[file...]", "more manifests, as a shell makes them of -f k8s/*.yaml")
    .option("-f, --filename <file>", "a manifest: a file, a folder, a URL, or - for standard input; may be repeated", collect)
    .option("-R, --recursive", "with a folder: also the folders in it");
}

/** What the flags of {@link addManifestFlags} name. @throws UserError where it is nothing, or what once went to kubectl */
export function manifestNames(command: string, more: readonly string[], options: Record<string, unknown>): string[] {
  const flag = more.find((word) => word.startsWith("-") && word !== "-");
  if (flag !== undefined) {
    throw usageError(
      `${flag} stands after --, where words for kubectl stood: kurun needs none, give its own flags before (kurun ${command} --help)`,
    );
  }
  const names = [...(options.filename ?? []) as string[], ...more];
  if (names.length === 0) throw usageError("which manifests? Give them with -f: files, folders, URLs, or - for standard input");
  if (names.filter((name) => name === "-").length > 1) throw usageError("standard input can be read once: one -f - is enough");
  return names;
}

/** Reads and parses the manifests, and says what is strange. What cannot be read is among the problems. */
export async function openManifests(
  context: Context,
  names: readonly string[],
  options: Record<string, unknown>,
): Promise<Loaded & { files: ManifestFile[] }> {
  const { files, problems: unread } = await readManifestFiles({
    names,
    recursive: options.recursive === true,
    cwd: Deno.cwd(),
    stdin: async () => new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer()),
    signal: context.interrupted,
  });
  const loaded = await loadManifests(files);
  for (const warning of loaded.warnings) context.stderr(`Warning: ${describeProblem(warning)}\n`);
  return { ...loaded, problems: [...unread, ...loaded.problems], files };
}

/** Ends the command where there are problems. @throws ManifestError with all of them */
export function refuse(problems: Loaded["problems"], files: readonly ManifestFile[]): void {
  if (problems.length > 0) throw new ManifestError(inReadingOrder(problems, files));
}
