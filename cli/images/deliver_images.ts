import { Api } from "../../k8s/api/api.ts";
import { CONTAINERD_SOCKETS } from "../../k8s/images/containerd.ts";
import { userCacheFolder } from "../../k8s/images/cache_folder.ts";
import type { Architecture } from "../../k8s/images/shared_libraries.ts";
import { commonArchitecture, linuxNodes, type NodeFacts } from "../../k8s/nodes/nodes.ts";
import { openCluster } from "../command/cluster_flags.ts";
import { currentFolder } from "../command/current_folder.ts";
import type { Context } from "../command/context.ts";
import { usageError } from "../command/errors.ts";
import { THIS_ARCHITECTURE } from "../command/this_architecture.ts";
import type { SourceReference } from "./build_errors.ts";
import { buildImages } from "./build_images.ts";
import { chooseWay, type ThisMachine } from "./choose_delivery.ts";
import { type DeliverFlags, deliverFlags, needsCluster } from "./deliver_flags.ts";
import { loadImages } from "./local_delivery.ts";
import { pushToRegistry } from "./registry_delivery.ts";

/** Builds and delivers images of sources. @returns the image's name for a manifest, by the source's path */
export type Deliver = (references: readonly SourceReference[]) => Promise<ReadonlyMap<string, string>>;

/**
 * Builds an image from each source and brings it to the cluster. A source is built once, and only if something in it has changed. Nothing is
 * sent before everything is built, and nothing is sent twice.
 * @param api the cluster whose nodes show how images get there and what they are built for; without one, `flags` must say both
 * @returns a function that throws UserError before anything is built, BuildErrors, and RegistryError or ImageError while it delivers
 */
export function deliverTo(context: Context, api: Api | undefined, flags: DeliverFlags): Deliver {
  const signal = context.interrupted;
  return async (sources) => {
    if (sources.length === 0) return new Map();
    const nodes = await visibleNodes(api, flags, signal);
    const way = chooseWay(flags, nodes, await thisMachine());
    const pulled = sources.find(({ pullAlways }) => pullAlways !== undefined);
    if (pulled && way.is !== "registry") {
      throw usageError(
        `${pulled.pullAlways}: the image goes to the nodes themselves, where there is nothing to pull: use IfNotPresent, or a registry (--repo)`,
      );
    }
    const progress = (line: string) => context.stderr(`${line}\n`);
    const known = "hidden" in nodes ? [] : nodes;
    const { architecture, others } = chosenArchitecture(flags, known);
    if (others.length > 0) {
      progress(
        `Warning: images are built for ${architecture}; they do not run on the cluster's ${others.join(" and ")} nodes (see --arch)`,
      );
    }
    const built = await buildImages(sources, {
      architecture,
      jobs: flags.jobs,
      cacheFolder: userCacheFolder(context.env),
      cwd: currentFolder(),
      environment: Deno.env.toObject(),
      now: context.now,
      stderr: context.stderr,
      signal,
    });
    const images = [...built.values()];
    const references = way.is === "registry"
      ? await pushToRegistry(way, images, context, progress)
      : await loadImages(way, images, { nodes: known, progress, signal });
    return new Map([...built.keys()].map((path, at) => [path, references[at] as string]));
  };
}

/** {@linkcode deliverTo} for a command that needs a cluster only to see where images go. It is opened when there is something to deliver. */
export function deliverAnywhere(context: Context, options: Record<string, unknown>): Deliver {
  const flags = deliverFlags(context, options);
  return async (references) => {
    using api = references.length > 0 && needsCluster(flags)
      ? new Api(await openCluster(context, options), { userAgent: "kurun" })
      : undefined;
    return await deliverTo(context, api, flags)(references);
  };
}

/** The cluster's nodes, or why they are unknown. A registry and an architecture on the command line leave nothing to ask. */
async function visibleNodes(
  api: Api | undefined,
  { repo, deliver, architecture }: DeliverFlags,
  signal: AbortSignal,
): Promise<NodeFacts[] | { hidden: string }> {
  if (api === undefined) return { hidden: "no cluster was given" };
  if (architecture !== undefined && (repo !== undefined && deliver === undefined || deliver?.startsWith("registry"))) return { hidden: "" };
  return await linuxNodes(api, signal) ?? { hidden: "you may not list its nodes" };
}

/** The architecture to build for: the flag's, else that of most nodes, else this machine's; and the other architectures of the nodes. */
export function chosenArchitecture(
  flags: Pick<DeliverFlags, "architecture">,
  nodes: readonly Pick<NodeFacts, "architecture" | "schedulable">[],
): { architecture: Architecture; others: string[] } {
  const architecture = flags.architecture ?? commonArchitecture(nodes) ?? THIS_ARCHITECTURE;
  const others = new Set(nodes.flatMap((node) => node.architecture ?? [])).difference(new Set([architecture]));
  return { architecture, others: [...others] };
}

async function thisMachine(): Promise<ThisMachine> {
  const read = (path: string) => Deno.readTextFile(path).then((text) => text.trim() || undefined, () => undefined);
  const [machineId, bootId, ...sockets] = await Promise.all([
    read("/etc/machine-id"),
    read("/proc/sys/kernel/random/boot_id"),
    ...CONTAINERD_SOCKETS.map((path) => Deno.stat(path).then(() => path, () => undefined)),
  ]);
  return { machineId, bootId, sockets: sockets.filter((path) => path !== undefined) };
}
