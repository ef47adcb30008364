import { cpus } from "node:os";
import { type Command, Option } from "commander";
import type { Architecture } from "../../k8s/images/shared_libraries.ts";
import type { Context } from "../command/context.ts";
import type { DeliveryChoice } from "./choose_delivery.ts";
import { usageError } from "../command/errors.ts";

/** How images are built and where they go. */
export interface DeliverFlags extends DeliveryChoice {
  /** How many are built at a time. */
  readonly jobs: number;
  /** What they are built for; by default what most nodes are. */
  readonly architecture: Architecture | undefined;
}

/** Adds the flags of commands that build images and bring them to the cluster. */
export function addDeliverFlags(command: Command): Command {
  return command
    .optionsGroup("Images:")
    .option("--repo <repository>", "the registry's repository that images are pushed below, as registry.example/me; $KURUN_REPO by default")
    .option(
      "--deliver <way>",
      "how images get to the cluster: registry, containerd[=SOCKET], kind[=NAME] or k3d[=NAME]; what its nodes show by default",
    )
    .option("-j, --jobs <number>", "how many images are built at a time; as many as this machine has processors by default")
    .addOption(
      new Option("--arch <architecture>", "what images are built for; what most nodes are by default").choices(["amd64", "arm64"]),
    );
}

/** What {@link addDeliverFlags} found on the command line. @throws UserError */
export function deliverFlags(context: Pick<Context, "env">, options: Record<string, unknown>): DeliverFlags {
  const { repo, deliver, jobs, arch } = options as { repo?: string; deliver?: string; jobs?: string; arch?: Architecture };
  if (jobs !== undefined && !/^[1-9]\d{0,3}$/.test(jobs)) throw usageError(`--jobs ${jobs} is no number from 1 to 9999`);
  return {
    repo: (repo ?? context.env("KURUN_REPO")) || undefined,
    deliver,
    jobs: jobs === undefined ? cpus().length || 1 : Number(jobs),
    architecture: arch,
  };
}
