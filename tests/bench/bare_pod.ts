import { Api } from "../../k8s/api/api.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import { TOOLBOX_IMAGE } from "../cluster/toolbox_image.ts";
import { anyPointOfASecond } from "./any_point.ts";
import { kubectl, type TestNamespace } from "../e2e/kubernetes.ts";

/** How long the start of a Pod took, in milliseconds from its creation. */
export interface PodStart {
  /** Until its first line of output by the node's clock, which must be this machine's. */
  readonly output: number;
  /** Until the API server knows its address and can connect to it. kubelet reports once a second what has started. */
  readonly address: number;
}

/** How often the address is polled, in milliseconds. */
const POLL_MS = 10;

/**
 * Creates bare Pods one after another, to measure what scheduling and starting a container take here without kurun. Each has a volume, like
 * every Pod with a ServiceAccount token. Without a volume it takes 0.3 s less, the interval at which kubelet checks mounts.
 *
 * @throws if a Pod does not finish
 */
export async function barePodStarts(namespace: TestNamespace, times: number): Promise<PodStart[]> {
  const api = new Api(await loadClusterAccess({}, { get: (name) => Deno.env.get(name) }), { userAgent: "kurun-bench" });
  const path = `/api/v1/namespaces/${namespace.name}/pods`;
  const taken: PodStart[] = [];
  try {
    // Opens the connection before the measurement.
    await api.get(path);
    for (let i = 0; i < times; i++) {
      const name = `bare-${i}`;
      await anyPointOfASecond();
      const created = Date.now();
      await api.create(path, pod(name));
      const address = await addressKnownAt(api, `${path}/${name}`);
      taken.push({ output: await firstLineAt(namespace, name) - created, address: address - created });
      await kubectl(["delete", "pod", name, "-n", namespace.name, "--now"]);
    }
  } finally {
    api.close();
  }
  return taken;
}

/** In milliseconds since 1970. */
async function addressKnownAt(api: Api, path: string): Promise<number> {
  for (;;) {
    const { status } = (await api.get(path)).body as { status: { podIP?: string } };
    if (status.podIP) return Date.now();
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** When the container first wrote, in milliseconds since 1970. */
async function firstLineAt(namespace: TestNamespace, name: string): Promise<number> {
  await kubectl(["wait", "-n", namespace.name, "--for=jsonpath={.status.phase}=Succeeded", `pod/${name}`, "--timeout=60s"]);
  const lines = await kubectl(["logs", "-n", namespace.name, name, "--timestamps"]);
  const at = Date.parse(lines.split(" ")[0] as string);
  if (Number.isNaN(at)) throw new Error(`no time before the first line: ${lines}`);
  return at;
}

/** A program that prints its environment and ends. */
function pod(name: string): unknown {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      restartPolicy: "Never",
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      containers: [{
        name: "bare",
        image: TOOLBOX_IMAGE,
        imagePullPolicy: "Never",
        args: ["env"],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      }],
    },
  };
}
