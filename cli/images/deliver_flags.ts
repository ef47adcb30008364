import { type Command, Option } from "commander";
import type { Architecture } from "../../k8s/images/shared_libraries.ts";
import type { Context } from "../command/context.ts";
import type { DeliveryChoice } from "./choose_delivery.ts";
import { usageError } from "../command/errors.ts";

/** The flags that say how images are built and where they go. */
export interface DeliverFlags extends DeliveryChoice {
  /** How many images are built at a time. */
  readonly jobs: number;
  /** The architecture to build for; undefined means that of most nodes. */
  readonly architecture: Architecture | undefined;
}

/** Adds the flags of commands that build images and bring them to the cluster. */
export function addDeliverFlags(command: Command): Command {
  return command
    .optionsGroup("Images:")
    .option("--repo <repository>", "push images below this repository, such as registry.example/me (default: $KURUN_REPO)")
    .option(
      "--deliver <way>",
      "how images get to the cluster: registry, containerd[=SOCKET], kind[=NAME] or k3d[=NAME] (default: detected from the nodes)",
    )
    .option("-j, --jobs <number>", "how many images to build at a time (default: the number of processors)")
    .addOption(
      new Option("--arch <architecture>", "the architecture to build for (default: that of most nodes)").choices(["amd64", "arm64"]),
    );
}

/** The values of the flags of {@link addDeliverFlags}. @throws UserError */
export function deliverFlags(context: Pick<Context, "env">, options: Record<string, unknown>): DeliverFlags {
  const { repo, deliver, jobs, arch } = options as { repo?: string; deliver?: string; jobs?: string; arch?: Architecture };
  if (jobs !== undefined && !/^[1-9]\d{0,3}$/.test(jobs)) throw usageError(`--jobs must be a number from 1 to 9999, got ${jobs}`);
  return {
    repo: (repo ?? context.env("KURUN_REPO")) || undefined,
    deliver,
    jobs: jobs === undefined ? navigator.hardwareConcurrency : Number(jobs),
    architecture: arch,
  };
}

/** Whether the flags leave something that only the cluster can tell: how images get there, or their architecture. */
export function needsCluster({ repo, deliver, architecture }: DeliverFlags): boolean {
  const told = deliver === undefined ? repo !== undefined : deliver !== "kind" && deliver !== "k3d";
  return !told || architecture === undefined;
}
