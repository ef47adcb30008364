import { Api } from "../../k8s/api/api.ts";
import type { CertificateAuthority } from "../certificate_authority.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import { kubectl, type TestNamespace } from "../e2e/kubernetes.ts";
import { median, type Row } from "./table.ts";

const SERVICE = "hook";
/** Ways to create a ConfigMap: without a matching webhook, with one reached directly, and with one reached through kurun. */
const WAYS = ["none", "url", "service"] as const;
type Way = typeof WAYS[number];

/**
 * What a webhook behind kurun adds to a create, compared with the same program called directly by the API server: the p50 of dry-run
 * creates of ConfigMaps over a kept connection, taking turns. Each answer's warning proves which webhook was called.
 *
 * @param port the program's port on 127.0.0.1, where the API server reaches it too
 */
export async function admissionRow(namespace: TestNamespace, ca: CertificateAuthority, port: number, times: number): Promise<Row> {
  await kubectl(["create", "-f", "-"], JSON.stringify(configuration(namespace, ca, port)));
  const api = new Api(await loadClusterAccess({}, { get: (name) => Deno.env.get(name) }), { userAgent: "kurun-bench" });
  try {
    for (const way of WAYS) await untilAsked(api, namespace, way);
    const taken: Record<Way, number[]> = { none: [], url: [], service: [] };
    for (let i = 0; i < times; i++) {
      for (const way of WAYS) {
        const started = performance.now();
        const asked = await create(api, namespace, way);
        taken[way].push(performance.now() - started);
        if (asked !== expected(way)) throw new Error(`a create by ${way} was ${asked || "asked nowhere"}`);
      }
    }
    const p50 = (way: Way) => median(taken[way]);
    return {
      what: `an admission request, p50 of ${times} creates`,
      direct: `${p50("url").toFixed(2)} ms (${p50("none").toFixed(2)} ms without a webhook)`,
      through: `${p50("service").toFixed(2)} ms`,
      share: `${(p50("service") - p50("url")).toFixed(2)} ms added`,
    };
  } finally {
    api.close();
    await kubectl(["delete", "validatingwebhookconfiguration", namespace.name]);
  }
}

/** The Service's name for {@link admissionRow}, also in the program's certificate. */
export function admissionNames(namespace: TestNamespace): { service: string; names: string[] } {
  return { service: SERVICE, names: ["127.0.0.1", "localhost", `${SERVICE}.${namespace.name}.svc`] };
}

/** @returns the warning of the webhook that was called, or nothing */
async function create(api: Api, namespace: TestNamespace, way: Way): Promise<string> {
  const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "asked", labels: { way } } };
  const { warnings } = await api.create(`/api/v1/namespaces/${namespace.name}/configmaps`, configMap, { query: { dryRun: "All" } });
  return warnings.join(", ");
}

/** The API server learns about a webhook within a second or so. */
async function untilAsked(api: Api, namespace: TestNamespace, way: Way): Promise<void> {
  const until = performance.now() + 15_000;
  while (await create(api, namespace, way) !== expected(way)) {
    if (performance.now() > until) throw new Error(`the API server does not call the webhook by ${way}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function expected(way: Way): string {
  return way === "none" ? "" : `asked at /${way}`;
}

function configuration(namespace: TestNamespace, ca: CertificateAuthority, port: number) {
  const caBundle = btoa(ca.certPem);
  const clientConfigs = {
    url: { caBundle, url: `https://127.0.0.1:${port}/url` },
    service: { caBundle, service: { name: SERVICE, namespace: namespace.name, port: 80, path: "/service" } },
  };
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: namespace.name },
    webhooks: Object.entries(clientConfigs).map(([way, clientConfig]) => ({
      name: `${way}.kurun.bench`,
      clientConfig,
      rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }],
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace.name } },
      objectSelector: { matchLabels: { way } },
      failurePolicy: "Fail",
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
      timeoutSeconds: 5,
    })),
  };
}
