import { Api } from "../../k8s/api/api.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import { TOOLBOX_IMAGE } from "../cluster/toolbox_image.ts";
import { kubectl, type TestNamespace } from "../e2e/kubernetes.ts";

/**
 * Creates bare Pods one after another: what scheduling and a container's start take here without kurun, its Secret and its volumes.
 *
 * @returns of each the milliseconds from its create to its first line of output, as the node's clock has it, which must be this machine's:
 * what a watch shows of a start comes up to a second later
 * @throws where a Pod does not come to its end
 */
export async function barePodStarts(namespace: TestNamespace, times: number): Promise<number[]> {
  const api = new Api(await loadClusterAccess({}, { get: (name) => Deno.env.get(name) }), { userAgent: "kurun-bench" });
  const path = `/api/v1/namespaces/${namespace.name}/pods`;
  const taken = [];
  try {
    // The connection is there before what is measured.
    await api.get(path);
    for (let i = 0; i < times; i++) {
      const name = `bare-${i}`;
      const created = Date.now();
      await api.create(path, pod(name));
      taken.push(await firstLineAt(namespace, name) - created);
      await kubectl(["delete", "pod", name, "-n", namespace.name, "--now"]);
    }
  } finally {
    api.close();
  }
  return taken;
}

/** When the container wrote first, in milliseconds since 1970. */
async function firstLineAt(namespace: TestNamespace, name: string): Promise<number> {
  await kubectl(["wait", "-n", namespace.name, "--for=jsonpath={.status.phase}=Succeeded", `pod/${name}`, "--timeout=60s"]);
  const lines = await kubectl(["logs", "-n", namespace.name, name, "--timestamps"]);
  const at = Date.parse(lines.split(" ")[0] as string);
  if (Number.isNaN(at)) throw new Error(`no time before the first line: ${lines}`);
  return at;
}

/** It prints its environment and ends. */
function pod(name: string): unknown {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
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
