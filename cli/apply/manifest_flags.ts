import type { Command } from "commander";
import { collect } from "../command/cluster_flags.ts";
import { usageError } from "../command/errors.ts";

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
