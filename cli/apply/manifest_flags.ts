import type { Command } from "commander";
import { collect } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { usageError } from "../command/errors.ts";
import { type Loaded, loadManifests } from "./load_manifests.ts";
import { describeProblem, ManifestError } from "./manifest_error.ts";
import { type ManifestFile, readManifestFiles } from "./manifest_files.ts";

/** Adds the flags that name manifests: `-f`, `-R`, and the further files that a shell makes of `-f *.yaml`. */
export function addManifestFlags(command: Command): Command {
  return command
    .argument("[file...]", "more manifests, for shells that expand -f k8s/*.yaml")
    .option("-f, --filename <file>", "a manifest: file, folder, URL, or - for standard input; can be repeated", collect)
    .option("-R, --recursive", "also read folders within folders");
}

/** The manifests that the flags of {@link addManifestFlags} name. @throws UserError if there are none, or flags after `--` */
export function manifestNames(command: string, more: readonly string[], options: Record<string, unknown>): string[] {
  const flag = more.find((word) => word.startsWith("-") && word !== "-");
  if (flag !== undefined) {
    throw usageError(
      `${flag} after -- is not a manifest: kurun does not pass flags on to kubectl. Put kurun's own flags before -- (see kurun ${command} --help)`,
    );
  }
  const names = [...(options.filename ?? []) as string[], ...more];
  if (names.length === 0) throw usageError("no manifests given: name files, folders or URLs with -f, or - for standard input");
  if (names.filter((name) => name === "-").length > 1) throw usageError("standard input can be read only once: give -f - once");
  return names;
}

/** Reads and parses the manifests, and warns about what is suspicious. Files that cannot be read are among the problems. */
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

/** Ends the command if there are problems. @throws ManifestError with all of them, in the order of files and lines */
export function refuse(problems: Loaded["problems"], files: readonly ManifestFile[]): void {
  if (problems.length === 0) return;
  const rank = new Map(files.map(({ name }, index) => [name, index]));
  const of = ({ file }: { file: string }) => rank.get(file) ?? files.length;
  throw new ManifestError(problems.toSorted((a, b) => of(a) - of(b) || a.line - b.line || a.column - b.column));
}
