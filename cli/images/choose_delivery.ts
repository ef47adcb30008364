import { CONTAINERD_SOCKETS, K3S_SOCKET } from "../../k8s/images/containerd.ts";
import type { NodeFacts } from "../../k8s/nodes/node_facts.ts";
import { containerdDelivery } from "./containerd_delivery.ts";
import type { Delivery } from "./delivery.ts";
import { ExitCode, usageError, UserError } from "../command/errors.ts";
import { k3dDelivery, kindDelivery } from "./local_cluster_delivery.ts";

/** What the user said about where images go. */
export interface DeliveryChoice {
  /** `--repo`, else KURUN_REPO. */
  readonly repo: string | undefined;
  /** `--deliver`: registry, or containerd, kind or k3d, each with `=…` for which. */
  readonly deliver: string | undefined;
}

/** This machine, as nodes say it of themselves. */
export interface ThisMachine {
  readonly machineId: string | undefined;
  readonly bootId: string | undefined;
  /** Sockets of containerd that are there. */
  readonly sockets: readonly string[];
}

/** What was decided; pure, so that {@linkcode chooseWay} can be tested. */
export type Way =
  | { readonly is: "registry"; readonly repo: string }
  | { readonly is: "containerd"; readonly socket: string }
  | { readonly is: "kind" | "k3d"; readonly cluster: string };

const CHOICES = "--repo REGISTRY/NAME, or --deliver containerd, kind or k3d";

/**
 * Decides how images get to the cluster: what the user said, else what its nodes show.
 *
 * @param nodes undefined where they cannot be seen, with why
 * @throws UserError where nothing serves, with what would
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
      return repo !== undefined ? { is: "registry", repo } : byNodes(nodes, machine);
    case "registry":
      if (which !== undefined || repo !== undefined) return { is: "registry", repo: which ?? repo as string };
      throw usageError("--deliver registry needs --repo REGISTRY/NAME, or KURUN_REPO in the environment");
    case "containerd": {
      const sockets = which !== undefined ? [which] : "hidden" in nodes ? machine.sockets : socketsOf(nodes[0]?.runtime, machine);
      if (sockets.length > 0) return { is: "containerd", socket: onlyOne(sockets) };
      throw usageError(
        `--deliver containerd: there is no socket of the cluster's containerd here (${
          CONTAINERD_SOCKETS.join(", ")
        }): name it by --deliver containerd=SOCKET`,
      );
    }
    case "kind":
    case "k3d": {
      const cluster = which ?? ("hidden" in nodes ? undefined : nodes.map(way === "kind" ? kindCluster : k3dCluster).find((name) => name));
      if (cluster !== undefined) return { is: way, cluster };
      throw usageError(`--deliver ${way}: the cluster's nodes do not look like ${way}'s: name the cluster by --deliver ${way}=NAME`);
    }
  }
  throw usageError(`--deliver ${deliver} is none of registry, containerd[=SOCKET], kind[=NAME], k3d[=NAME]`);
}

function byNodes(nodes: readonly NodeFacts[] | { readonly hidden: string }, machine: ThisMachine): Way {
  if ("hidden" in nodes) throw refusal(`how images get to the cluster cannot be seen: ${nodes.hidden}`);
  const [first] = nodes;
  if (first === undefined) throw refusal("the cluster has no nodes yet");
  const kind = kindCluster(first);
  if (kind !== undefined) return { is: "kind", cluster: kind };
  const k3d = k3dCluster(first);
  if (k3d !== undefined) return { is: "k3d", cluster: k3d };
  const here = nodes.filter((node) => isThisMachine(node, machine));
  if (here.length === 0) {
    throw refusal(
      `the cluster's ${
        nodes.length === 1 ? `node ${first.name} is` : `${nodes.length} nodes are`
      } elsewhere, and images get there by a registry`,
    );
  }
  if (here.length < nodes.length) {
    throw refusal(`of the cluster's ${nodes.length} nodes only ${here[0]?.name} is this machine, and the others need a registry`);
  }
  const sockets = socketsOf(first.runtime, machine);
  if (sockets.length === 0) {
    throw refusal(
      `the cluster's node ${first.name} is this machine, and runs ${first.runtime ?? "an unknown runtime"}, whose socket is not here ` +
        `(looked for ${CONTAINERD_SOCKETS.join(", ")})`,
    );
  }
  return { is: "containerd", socket: onlyOne(sockets) };
}

/**
 * The sockets that may be a node's containerd: a runtime that is none has none of them, though Docker's containerd may be beside it, and
 * k3s's and RKE2's own builds say so in their version.
 */
function socketsOf(runtime: string | undefined, { sockets }: ThisMachine): readonly string[] {
  if (!runtime?.startsWith("containerd://")) return [];
  return runtime.includes("-k3s") ? sockets.filter((path) => path === K3S_SOCKET) : sockets;
}

/** An image in the wrong containerd is found by no kubelet, and nothing says so but Pods that cannot pull it. */
function onlyOne(sockets: readonly string[]): string {
  const [socket, ...others] = sockets;
  if (others.length === 0) return socket as string;
  throw usageError(
    `there are several containerds here (${sockets.join(", ")}), and nothing tells which is the cluster's: ` +
      "name it by --deliver containerd=SOCKET; nothing was built",
  );
}

/** The delivery of a way that was chosen, but for a registry. @param nodes none where they cannot be seen */
export function localDelivery(way: Exclude<Way, { is: "registry" }>, nodes: readonly NodeFacts[]): Delivery {
  if (way.is === "containerd") return containerdDelivery(way.socket);
  const isThere = (reference: string) => nodes.length > 0 && nodes.every(({ images }) => images.has(reference));
  return way.is === "kind" ? kindDelivery(way.cluster, isThere) : k3dDelivery(way.cluster, isThere);
}

/** `kind://PROVIDER/CLUSTER/NODE` */
function kindCluster({ providerId }: NodeFacts): string | undefined {
  return /^kind:\/\/[^/]*\/([^/]+)\//.exec(providerId ?? "")?.[1];
}

/** k3d calls nodes `k3d-CLUSTER-server-0` and `k3d-CLUSTER-agent-0`, and runs k3s in them. */
function k3dCluster({ name, providerId }: NodeFacts): string | undefined {
  return providerId?.startsWith("k3s://k3d-") ? /^k3d-(.+)-(?:server|agent)-\d+$/.exec(name)?.[1] : undefined;
}

/** A container on this machine has its boot, and another machine ID: kind's nodes do. */
function isThisMachine(node: NodeFacts, { machineId, bootId }: ThisMachine): boolean {
  return machineId !== undefined && node.machineId === machineId &&
    (bootId === undefined || node.bootId === undefined || node.bootId === bootId);
}

function refusal(why: string): UserError {
  return new UserError(`${why}; say where images go: ${CHOICES}; nothing was built`, ExitCode.usage);
}
