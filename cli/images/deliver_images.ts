import type { Api } from "../../k8s/api/api.ts";
import { CONTAINERD_SOCKETS } from "../../k8s/images/containerd.ts";
import { userCacheFolder } from "../../k8s/images/layer_cache.ts";
import { linuxNodes, type NodeFacts } from "../../k8s/nodes/node_facts.ts";
import type { Architecture } from "../../k8s/images/shared_libraries.ts";
import { buildImages, type SourceReference } from "./build_images.ts";
import { chooseWay, localDelivery, type ThisMachine } from "./choose_delivery.ts";
import type { Context } from "../command/context.ts";
import type { DeliverFlags } from "./deliver_flags.ts";
import { registryDelivery } from "./registry_delivery.ts";

export type { SourceReference } from "./build_images.ts";
export { BuildErrors } from "./build_images.ts";

/** Makes images of sources. @returns what goes into a manifest for each source's path */
export type Deliver = (references: readonly SourceReference[]) => Promise<ReadonlyMap<string, string>>;

/** What {@linkcode deliverImages} needs of the world. */
export interface DeliverOptions {
  readonly context: Pick<Context, "env" | "home" | "stderr" | "interrupted" | "now">;
  readonly flags: DeliverFlags;
  /** The folder that messages name sources from. */
  readonly cwd: string;
  /** The cluster whose nodes tell how images get there and what they are built for; without one `flags` must tell. */
  readonly api: Api | undefined;
  /** Ends it, beside Ctrl+C. */
  readonly signal?: AbortSignal;
}

/**
 * Builds an image of each source and brings it to where the cluster finds it. Each source is built once, several at a time, and only where
 * what it is made of has changed; nothing is sent before everything is built, and what is there already is not sent again.
 *
 * @returns what goes into manifests, by the source's path: `NAME@sha256:…`, or `NAME:TAG` with a tag made of the image's digest
 * @throws UserError where no way to the cluster is known, before anything is built
 * @throws BuildErrors with all that could not be built
 * @throws RegistryError, ContainerdError, UserError where images could not be delivered
 */
export async function deliverImages(sources: readonly SourceReference[], options: DeliverOptions): Promise<ReadonlyMap<string, string>> {
  if (sources.length === 0) return new Map();
  const { context, flags, cwd, api } = options;
  const signal = options.signal ? AbortSignal.any([options.signal, context.interrupted]) : context.interrupted;
  const nodes = await seenNodes(api, flags, signal);
  const way = chooseWay(flags, nodes, await thisMachine());
  const progress = (line: string) => context.stderr(`${line}\n`);
  const seen = "hidden" in nodes ? [] : nodes;
  const delivery = way.is === "registry" ? registryDelivery(way.repo, context) : localDelivery(way, seen);
  const { architecture, others } = chosenArchitecture(flags, seen);
  if (others.length > 0) {
    progress(`Warning: images are built for ${architecture}, and do not run on the cluster's nodes of ${others.join(", ")}: see --arch`);
  }
  const built = await buildImages(sources, {
    architecture,
    jobs: flags.jobs,
    cacheFolder: userCacheFolder(context.env),
    cwd,
    environment: Deno.env.toObject(),
    now: context.now,
    stderr: context.stderr,
    signal,
  });
  const paths = [...built.keys()];
  const { references } = await delivery.deliver([...built.values()], { progress, signal });
  return new Map(paths.map((path, at) => [path, references[at] as string]));
}

/** A registry that is named and an architecture leave nothing to ask the cluster. */
async function seenNodes(
  api: Api | undefined,
  { repo, deliver, architecture }: DeliverFlags,
  signal: AbortSignal,
): Promise<NodeFacts[] | { hidden: string }> {
  if (api === undefined) return { hidden: "there is no cluster to look at" };
  if (architecture !== undefined && (repo !== undefined && deliver === undefined || deliver?.startsWith("registry"))) return { hidden: "" };
  return await linuxNodes(api, signal) ?? { hidden: "the user may not list its nodes" };
}

/** What the user said, or most nodes are, or this machine is; and what other nodes are. */
export function chosenArchitecture(
  { architecture }: Pick<DeliverFlags, "architecture">,
  nodes: readonly Pick<NodeFacts, "architecture">[],
): { architecture: Architecture; others: string[] } {
  const count = (one: Architecture) => nodes.filter((node) => node.architecture === one).length;
  const own = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  const common = count("arm64") > count("amd64") ? "arm64" : count("amd64") > 0 ? "amd64" : own;
  const chosen = architecture ?? common;
  const others = new Set(nodes.map((node) => node.architecture).filter((one) => one !== undefined && one !== chosen));
  return { architecture: chosen, others: [...others] as string[] };
}

async function thisMachine(): Promise<ThisMachine> {
  const read = async (path: string) => {
    try {
      return (await Deno.readTextFile(path)).trim() || undefined;
    } catch {
      return undefined;
    }
  };
  const [machineId, bootId, ...sockets] = await Promise.all([
    read("/etc/machine-id"),
    read("/proc/sys/kernel/random/boot_id"),
    ...CONTAINERD_SOCKETS.map((path) => Deno.stat(path).then(() => path, () => undefined)),
  ]);
  return { machineId, bootId, sockets: sockets.filter((path) => path !== undefined) };
}
