import { CONTAINERD_SOCKETS, K3S_SOCKET } from "../../k8s/images/containerd.ts";
import type { NodeFacts } from "../../k8s/nodes/nodes.ts";
import { parseRepository, type Repository } from "../../k8s/registry/registry_repository.ts";
import { usageError, type UserError } from "../command/errors.ts";

/** Where the user wants images to go. */
export interface DeliveryChoice {
  /** `--repo`, else KURUN_REPO. */
  readonly repo: string | undefined;
  /** `--deliver`: registry, containerd[=SOCKET], kind[=NAME] or k3d[=NAME]. */
  readonly deliver: string | undefined;
}

/** This machine, described as nodes describe themselves. */
export interface ThisMachine {
  readonly machineId: string | undefined;
  readonly bootId: string | undefined;
  /** The sockets of containerd that exist here. */
  readonly sockets: readonly string[];
}

/** How images get to the nodes themselves. */
export type LocalWay =
  | { readonly is: "containerd"; readonly socket: string }
  | { readonly is: "kind" | "k3d"; readonly cluster: string };

/** How images get to the cluster. */
export type Way = LocalWay | { readonly is: "registry" } & Repository;

/**
 * Decides how images get to the cluster: as the user says, else as the cluster's nodes suggest. Pure.
 * @param nodes the nodes, or why they are unknown
 * @throws UserError where no way is known, with what to do
 */
export function chooseWay(
  { repo, deliver }: DeliveryChoice,
  nodes: readonly NodeFacts[] | { readonly hidden: string },
  machine: ThisMachine,
): Way {
  const [, way, which] = /^(\w+)(?:=(.+))?$/.exec(deliver ?? "") ?? [];
  switch (way) {
    case undefined:
      if (deliver !== undefined) break;
      return repo !== undefined ? registryWay(repo) : byNodes(nodes, machine);
    case "registry":
      if (which !== undefined || repo !== undefined) return registryWay(which ?? repo as string);
      throw usageError("--deliver registry needs --repo REGISTRY/NAME, or the variable KURUN_REPO");
    case "containerd": {
      const sockets = which !== undefined ? [which] : "hidden" in nodes ? machine.sockets : socketsOf(nodes[0]?.runtime, machine);
      if (sockets.length > 0) return { is: "containerd", socket: onlyOne(sockets) };
      throw usageError(
        `--deliver containerd: the socket of the cluster's containerd was not found (${CONTAINERD_SOCKETS.join(", ")}): ` +
          "name it with --deliver containerd=SOCKET",
      );
    }
    case "kind":
    case "k3d": {
      const named = which !== undefined ? { is: way, cluster: which } as const : undefined;
      const found = named ?? ("hidden" in nodes ? undefined : nodes.map(clusterOf).find((cluster) => cluster?.is === way));
      if (found) return found;
      throw usageError(`--deliver ${way}: the cluster's nodes do not look like ${way}'s: name the cluster with --deliver ${way}=NAME`);
    }
  }
  throw usageError(`--deliver must be registry, containerd[=SOCKET], kind[=NAME] or k3d[=NAME], got ${deliver}`);
}

function registryWay(repo: string): Way {
  const repository = parseRepository(repo);
  if (repository) return { is: "registry", ...repository };
  throw usageError(
    `--repo ${repo} is not a repository: expected a name such as registry.example/me, or me for Docker Hub, ` +
      "with lower-case letters, digits, and . _ - between them",
  );
}

function byNodes(nodes: readonly NodeFacts[] | { readonly hidden: string }, machine: ThisMachine): Way {
  if ("hidden" in nodes) throw refusal(`cannot tell how images get to the cluster: ${nodes.hidden}`);
  const [first] = nodes;
  if (first === undefined) throw refusal("cannot tell how images get to the cluster: it has no nodes yet");
  const cluster = clusterOf(first);
  if (cluster) return cluster;
  const here = nodes.filter((node) => isThisMachine(node, machine));
  if (here.length === 0) {
    const others = nodes.length === 1 ? `node ${first.name} is another machine` : `${nodes.length} nodes are other machines`;
    throw refusal(`the cluster's ${others}, so images must go through a registry`);
  }
  if (here.length < nodes.length) {
    throw refusal(
      `of the cluster's ${nodes.length} nodes, only ${here[0]?.name} is this machine; the others must pull images from a registry`,
    );
  }
  const sockets = socketsOf(first.runtime, machine);
  if (sockets.length === 0) {
    const seen = `is this machine and runs ${first.runtime ?? "an unknown runtime"}, but its socket was not found`;
    throw usageError(
      `the cluster's node ${first.name} ${seen} (${CONTAINERD_SOCKETS.join(", ")})\n` +
        "If the node runs in a container or in its own namespaces, run kurun inside them (for kurun's test cluster: deno task cluster exec).\n" +
        `Otherwise name the socket with --deliver containerd=SOCKET, or push with --repo REGISTRY/NAME. Nothing was built.`,
    );
  }
  return { is: "containerd", socket: onlyOne(sockets) };
}

/**
 * The sockets that may be the node's containerd. With another runtime there is none, although Docker's containerd may run next to it. k3s
 * and RKE2 name themselves in containerd's version.
 */
function socketsOf(runtime: string | undefined, { sockets }: ThisMachine): readonly string[] {
  if (!runtime?.startsWith("containerd://")) return [];
  return runtime.includes("-k3s") ? sockets.filter((path) => path === K3S_SOCKET) : sockets;
}

/** An image in the wrong containerd would only show as Pods that cannot pull it. */
function onlyOne(sockets: readonly string[]): string {
  const [socket, ...others] = sockets;
  if (others.length === 0) return socket as string;
  throw usageError(
    `several containerd sockets were found (${sockets.join(", ")}): name the cluster's with --deliver containerd=SOCKET; nothing was built`,
  );
}

/** kind's provider IDs are `kind://PROVIDER/CLUSTER/NODE`. k3d names nodes `k3d-CLUSTER-server-0` and `k3d-CLUSTER-agent-0`. */
function clusterOf({ name, providerId = "" }: NodeFacts): LocalWay | undefined {
  const [is, pattern, text] = providerId.startsWith("k3s://k3d-")
    ? ["k3d", /^k3d-(.+)-(?:server|agent)-\d+$/, name] as const
    : ["kind", /^kind:\/\/[^/]*\/([^/]+)\//, providerId] as const;
  const [, cluster] = pattern.exec(text) ?? [];
  return cluster === undefined ? undefined : { is, cluster };
}

/** A container on this machine, such as kind's nodes, has the same boot ID and another machine ID. */
function isThisMachine(node: NodeFacts, { machineId, bootId }: ThisMachine): boolean {
  return machineId !== undefined && node.machineId === machineId &&
    (bootId === undefined || node.bootId === undefined || node.bootId === bootId);
}

function refusal(why: string): UserError {
  return usageError(`${why}\nSay where images go with --repo REGISTRY/NAME, or --deliver containerd, kind or k3d. Nothing was built.`);
}
