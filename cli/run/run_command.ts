import { Command, Option } from "commander";
import { dropRuntimeRoots } from "../../k8s/api/trusted_roots.ts";
import { Api } from "../../k8s/api/api.ts";
import { runPod } from "../../k8s/session/objects/run_objects.ts";
import { findSource } from "../builders/program_source.ts";
import { addClusterFlags, collect, openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { addDryRunFlags, dryRunFormat, dryRunText, NAME_END } from "../command/dry_run.ts";
import { ExitCode, ExitError, type InterruptedError, usageError, UserError } from "../command/errors.ts";
import { serverImage, serverImageOption } from "../session/server_image.ts";
import { transportOption } from "../session/transport_option.ts";
import { ProgramRun } from "./program_run.ts";
import { type RunFlags, type RunOptions, runOptions, splitArguments } from "./run_flags.ts";
import { planRun } from "./run_session.ts";

/** `kurun run FILE.go… | FILE.ts | DIR [-- ARGS…]` */
export function runCommand(context: Context): Command {
  const command = addDryRunFlags(programFlags(new Command("run")))
    .optionsGroup("Pod:")
    .option("--serviceaccount <name>", "the ServiceAccount to run the program as (default: the namespace's default)")
    .option("--image <base>", "the image to run the program in, if it needs files or tools (default: the image of kurun's Pod)")
    .option("--requests <amounts>", "the Pod's resource requests: cpu=100m,memory=64Mi (default: from a LimitRange)")
    .option("--limits <amounts>", "the Pod's resource limits: cpu=1,memory=256Mi (default: from a LimitRange)")
    .option("--overrides <json|yaml|@file>", "a strategic merge patch for the Pod, as in kubectl run")
    .addOption(serverImageOption())
    .addOption(transportOption())
    .option("--image-pull-secret <name>", "the Secret for pulling the image")
    .option("--ttl <duration>", "how long the Pod outlives this command if it is killed; 0 keeps it forever", "2m")
    .option("--timeout <duration>", "how long to wait for the Pod; 0 waits forever", "60s")
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

/** What the program is and how it is run. */
function programFlags(command: Command): Command {
  return command
    .summary("run a program in the cluster from its source, like go run")
    .description(
      "Builds a Go, TypeScript or JavaScript program on this machine and runs it in a Pod, with this terminal's input, output and signals. " +
        "kurun exits with the program's exit code. Flags for kurun go before the program; everything after it is passed to the program.",
    )
    .argument("<program>", "Go files of one package, a .ts or .js file, or a folder that has either")
    .argument("[args...]", "the program's arguments, passed unchanged; a leading -- is dropped")
    // Like go run, it passes a program's flags without a --.
    .passThroughOptions()
    .option(
      "-e, --env <name=value>",
      "an environment variable for the program; NAME alone takes the value from this machine; can be repeated",
      collect,
    )
    .option("--env-file <file>", "a file of environment variables, one NAME=VALUE per line; can be repeated", collect)
    .option("-i, --stdin", "keep stdin open (the default if stdin is readable)")
    .option("-t, --tty", "give the program a terminal of the same size as this one")
    .option("-p, --publish <local:remote>", "forward a port on this machine's localhost to a port of the program; can be repeated", collect)
    .option("--watch", "rebuild and replace the program when one of its files changes")
    .option("--workdir <folder>", "the program's working directory in the Pod", "/tmp")
    .option("--name <name>", "the Pod's name (default: the program's name and five random characters)")
    .addOption(
      new Option("--rm <boolean>", "true: remove everything when the program has ended; false: keep the Pod for --ttl")
        .argParser(parseRemove).default("true"),
    );
}

/** The first of the program's arguments that is a flag of kurun run too; undefined if -- says that the program gets it. */
function ownFlag({ options }: Command, { rest, separated }: ReturnType<typeof splitArguments>): string | undefined {
  if (separated) return undefined;
  const known = new Set(options.flatMap(({ short, long }) => [short, long]));
  return rest.map((argument) => argument.replace(/^(--[^=]+)=.*$/s, "$1")).find((flag) => known.has(flag));
}

/** Reads the value of `--rm`. In Docker and kubectl it has none, so what follows it there is the program. @throws UserError */
function parseRemove(value: string): string {
  if (value === "true" || value === "false") return value;
  throw usageError(`--rm must be true or false, got ${value}. By default everything is removed; --rm=false keeps the Pod`);
}

/**
 * Runs a program in the cluster until it ends.
 * @param flags those that choose the cluster, and `--dry-run`
 * @throws ExitError with the program's exit code, or with why it never started
 */
async function run(context: Context, options: RunOptions, flags: RunFlags): Promise<void> {
  const dryRun = dryRunFormat(flags);
  const source = await findSource(options.targets, Deno.cwd());
  dropRuntimeRoots();
  const [access, image] = await Promise.all([openCluster(context, flags), serverImage(context, flags.serverImage)]);
  const name = dryRun && flags.name === undefined ? options.name.replace(/[^-]+$/, NAME_END) : options.name;
  const plan = planRun(context, { ...options, name }, { ...image, namespace: access.namespace });
  const { ignored } = runPod(plan, "");
  for (const what of ignored) context.stderr(`Warning: --overrides: ${what}: ignored\n`);
  if (dryRun) return context.data(dryRunText(plan, dryRun));
  using api = new Api(access, { userAgent: "kurun" });
  const program = new ProgramRun({ context, access, api, options, source, plan });
  try {
    await program.run();
  } catch (error) {
    if (error instanceof ExitError || program.started) throw error;
    if (context.interrupted.aborted) throw new ExitError((context.interrupted.reason as InterruptedError).exitCode);
    if (error instanceof UserError && error.exitCode === ExitCode.usage) throw error;
    throw new ExitError(ExitCode.neverStarted, error);
  }
}

const EXAMPLES = `
Examples:
  # like go run main.go, but in the cluster
  kurun run main.go

  # a package, with arguments and standard input
  kurun run ./cmd/import --dry < data.csv

  # an operator with its ServiceAccount's rights, rebuilt when a file is saved
  kurun run --serviceaccount operator --watch examples/operator

  # a TypeScript web server, reachable at localhost:8080 on this machine
  kurun run -p 8080:8000 main.ts

  # a full-screen program
  kurun run -it ./examples/screen
`;
