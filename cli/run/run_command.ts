import { Command, Option } from "commander";
import { addClusterFlags, collect } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { usageError } from "../command/errors.ts";
import { addDryRunFlags } from "../command/dry_run.ts";
import { run } from "./run.ts";
import { type RunFlags, runOptions, type SplitArguments, splitArguments } from "./run_flags.ts";
import { SERVER_IMAGE } from "../command/version.ts";

/** `kurun run FILE.go… | FILE.ts | DIR [-- ARGS…]` */
export function runCommand(context: Context): Command {
  const command = addDryRunFlags(programFlags(new Command("run")))
    .optionsGroup("Pod:")
    .option("--serviceaccount <name>", "the ServiceAccount whose rights the program has (default: the namespace's own)")
    .option(
      "--image <base>",
      "the image to run the program in, with what it needs beside itself (default: kurun's own, which has Deno alone)",
    )
    .option("--requests <amounts>", "what the Pod asks for: cpu=100m,memory=64Mi (default: what a LimitRange says)")
    .option("--limits <amounts>", "the most that it gets: cpu=1,memory=256Mi (default: what a LimitRange says)")
    .option("--overrides <json|yaml|@file>", "a strategic merge patch of the Pod, as with kubectl run")
    .option("--server-image <image>", "the image of kurun's Pod", SERVER_IMAGE)
    .option("--image-pull-secret <name>", "the Secret to pull the image with")
    .option("--ttl <duration>", "how long what was made outlives this command if it is killed; 0 for ever", "2m")
    .option("--timeout <duration>", "how long it may take until the Pod is there; 0 for ever", "60s")
    .addHelpText("after", EXAMPLES);
  return addClusterFlags(command).action(async (program: string, args: string[], flags: RunFlags) => {
    const misplaced = ownFlag(command, splitArguments(program, args));
    if (misplaced !== undefined) {
      context.stderr(
        `Warning: ${misplaced} follows the program, so the program gets it and kurun does not. ` +
          "Put it before the program, or -- between the program and its arguments.\n",
      );
    }
    await run(context, await runOptions(context, program, args, flags), flags);
  });
}

/** What the program is, and how it is run. */
function programFlags(command: Command): Command {
  return command
    .summary("run a program of yours in the cluster, as go run does here")
    .description(
      "Builds a Go, TypeScript or JavaScript program here and runs it in a Pod, with this terminal's input, output and signals. " +
        "Its exit code is kurun's. Flags go before the program: what follows it are its own arguments.",
    )
    .argument("<program>", "Go files of one package, a .ts or .js file, or a folder that has either")
    .argument("[args...]", "what the program is given, exactly as it stands here; -- before them is left out")
    // As with go run, a program's flags need no --.
    .passThroughOptions()
    .option(
      "-e, --env <name=value>",
      "a variable of the program's environment; a name alone takes the value from here; may be repeated",
      collect,
    )
    .option("--env-file <file>", "variables of the program's environment, NAME=VALUE a line; may be repeated", collect)
    .option("-i, --stdin", "give it standard input, which it has anyway where that can be read")
    .option("-t, --tty", "give it a terminal of its own, as large as this one")
    .option("-p, --publish <local:remote>", "a port of the program, on this machine's localhost; may be repeated", collect)
    .option("--watch", "build it again and replace it when a file of it changes")
    .option("--workdir <folder>", "the folder in the Pod that it starts in", "/tmp")
    .option("--name <name>", "the Pod's name (default: the program's, and five letters)")
    .addOption(
      new Option("--rm <boolean>", "true: remove everything when the program has ended; false: leave the Pod for --ttl")
        .argParser(parseRemove).default("true"),
    );
}

/** The first of the program's arguments that is a flag of kurun run too, where no -- says that the program is to have it. */
function ownFlag({ options }: Command, { rest, separated }: SplitArguments): string | undefined {
  if (separated) return undefined;
  const known = new Set(options.flatMap(({ short, long }) => [short, long]));
  return rest.map((argument) => argument.replace(/^(--[^=]+)=.*$/s, "$1")).find((flag) => known.has(flag));
}

/** Reads the value of `--rm`. Docker's and kubectl's has none, so what follows it there is the program. @throws UserError */
function parseRemove(value: string): string {
  if (value === "true" || value === "false") return value;
  throw usageError(`--rm ${value}: leave out --rm, since everything is removed by default, or write --rm=false to keep the Pod`);
}

const EXAMPLES = `
Examples:
  # as go run main.go, but in the cluster
  kurun run main.go

  # a package, with arguments and standard input
  kurun run ./cmd/import --dry < data.csv

  # an operator with the rights of its ServiceAccount, built anew when a file of it is saved
  kurun run --serviceaccount operator --watch examples/operator

  # a web server in TypeScript, on this machine's localhost:8080
  kurun run -p 8080:8000 main.ts

  # a program for the whole terminal
  kurun run -it ./examples/screen
`;
