import type { ClusterVariant, Topology } from "../cluster/variant.ts";

/** The test clusters of the matrix. */
export const ROWS: readonly ClusterVariant[] = [
  { kubernetes: "1.31", topology: "one-node" },
  { kubernetes: "1.34", topology: "one-node" },
  { kubernetes: "1.37", topology: "one-node" },
  { kubernetes: "1.34", topology: "two-api-servers" },
  { kubernetes: "1.34", topology: "dual-stack" },
  { kubernetes: "1.34", topology: "dual-stack-ipv6" },
  { kubernetes: "1.34", topology: "konnectivity" },
];

/** Files of tests that only a topology's rows run, below tests/e2e. */
export const OF_TOPOLOGY: Readonly<Partial<Record<Topology, string>>> = {
  "two-api-servers": "topologies/two_api_servers",
  "dual-stack": "topologies/dual_stack",
  "dual-stack-ipv6": "topologies/dual_stack",
  konnectivity: "topologies/konnectivity",
};

/** The files of tests/e2e that touch what differs between clusters; each row runs these unless `--all` is given. */
export const CHOSEN: readonly string[] = [
  // What kubectl prints and sends, server-side apply, rollouts and Jobs.
  "apply",
  "apply_set",
  "kubectl_plugin",
  // Discovery, published versions and health.
  "doctor",
  // LimitRanges, quotas, Pod Security and Pods' conditions.
  "pod_flags",
  "pod_end",
  // Services, EndpointSlices, and both ways to the Pod.
  "port_forward",
  "service",
  "transport",
  // Exec, attach and logs.
  "run",
  // Whether the rights that kurun asks for suffice.
  "rights",
  // Admission and conversion webhooks.
  "webhook",
  "webhook_command",
  "webhook_operator",
];

/** A row's name, which `--only` looks into. */
export function rowName({ kubernetes, topology }: ClusterVariant): string {
  return `Kubernetes ${kubernetes}, ${topology}`;
}
