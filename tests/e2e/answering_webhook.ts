/**
 * Webhooks that append their name to the annotation `answered-by` of each object, so that an object says who answered for it, and how often.
 *
 * @module
 */
import { certificateAuthority } from "../certificate_authority.ts";
import { denoImage } from "../cluster/deno_images.ts";
import { hookDeployment } from "./hook_deployment.ts";
import { kubectl, type TestNamespace } from "./kubernetes.ts";
import { serveHttp, type Upstream } from "./upstreams.ts";

/** The annotation. */
export const ANSWERED_BY = "answered-by";
const KIND = "mutatingwebhookconfiguration";

/** Answers an AdmissionReview. The Pod's program is this text, so nothing outside of it is used. */
async function answer(request: Request, name: string): Promise<Response> {
  const { uid, object } = (await request.json()).request;
  const annotations = object.metadata.annotations ?? {};
  const value = { ...annotations, "answered-by": [...annotations["answered-by"]?.split(",") ?? [], name].join(",") };
  const patch = btoa(JSON.stringify([{ op: "add", path: "/metadata/annotations", value }]));
  const response = { uid, allowed: true, patchType: "JSONPatch", patch };
  return Response.json({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response });
}

/** A webhook on this machine, over plain HTTP. */
export function answeringHere(name: string): Upstream {
  // The body of a request whose caller has left cannot be read.
  return serveHttp((request) => answer(request, name).catch(() => new Response(null, { status: 500 })));
}

/** A webhook in the cluster, called `original`: its Pod, Service, certificate and configurations. */
export class OriginalWebhook implements AsyncDisposable {
  private constructor(readonly namespace: TestNamespace, readonly caPem: string) {}

  /** Starts it. @returns once its Service answers */
  static async start(namespace: TestNamespace): Promise<OriginalWebhook> {
    const ca = await certificateAuthority({ commonName: "test", days: 1, now: new Date() });
    const pair = await ca.issue({ names: [`hook.${namespace.name}.svc`], days: 1, now: new Date() });
    const program = `const read = (name) => Deno.readTextFileSync("/tls/tls." + name); ${answer};
      Deno.serve({ hostname: "::", port: 9443, cert: read("crt"), key: read("key") }, (request) => answer(request, "original"));`;
    const container = {
      image: denoImage("distroless"),
      args: ["eval", program],
      readinessProbe: { tcpSocket: { port: 9443 }, periodSeconds: 1 },
      volumeMounts: [{ name: "tls", mountPath: "/tls", readOnly: true }],
    };
    const items = [
      {
        apiVersion: "v1",
        kind: "Secret",
        type: "kubernetes.io/tls",
        metadata: { name: "hook-tls" },
        stringData: { "tls.crt": pair.certPem, "tls.key": pair.keyPem },
      },
      { apiVersion: "v1", kind: "Service", metadata: { name: "hook" }, spec: { selector: { app: "hook" }, ports: [{ port: 9443 }] } },
      hookDeployment({ app: "hook" }, 1, container, [{ name: "tls", secret: { secretName: "hook-tls" } }]),
    ];
    await kubectl(["create", "-n", namespace.name, "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    await kubectl(["rollout", "status", "deployment/hook", "-n", namespace.name, "--timeout=60s"]);
    return new OriginalWebhook(namespace, ca.certPem);
  }

  /**
   * Creates a configuration with failurePolicy Fail and waits until the API server follows it.
   *
   * @param namespace in the objects that it is for
   * @param resources created ones of them
   */
  async configure(name: string, namespaces: readonly string[], resources: readonly string[] = ["configmaps"]): Promise<void> {
    const configuration = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: { name, labels: { "kurun.test/of": this.namespace.name } },
      webhooks: [{
        name: `${name}.kurun.test`,
        clientConfig: { caBundle: btoa(this.caPem), service: { name: "hook", namespace: this.namespace.name, port: 9443 } },
        rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources }],
        namespaceSelector: { matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "In", values: namespaces }] },
        failurePolicy: "Fail",
        timeoutSeconds: 10,
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
      }],
    };
    await kubectl(["create", "-f", "-"], JSON.stringify(configuration));
    while (await answeredBy(namespaces[0] as string) !== "original") await new Promise((resolve) => setTimeout(resolve, 100));
  }

  /** The original's configurations whose names begin like this, with those that kurun made for them. */
  async stored(prefix = this.namespace.name): Promise<StoredConfigurations> {
    const { items } = JSON.parse(await kubectl(["get", KIND, "-o", "json", "--show-managed-fields"]));
    const ours = (items as Stored[]).filter(({ metadata }) => metadata.name.startsWith(prefix));
    const fields = ours.map(({ metadata }) => ({ name: metadata.name, managedFields: metadata.managedFields }));
    for (const { metadata } of ours) for (const key of ["resourceVersion", "generation", "managedFields"]) delete metadata[key];
    return { text: JSON.stringify(ours, null, 1), managedFields: JSON.stringify(fields, null, 1) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await kubectl(["delete", KIND, "--ignore-not-found", "-l", `kurun.test/of=${this.namespace.name}`]);
  }
}

interface Stored {
  // deno-lint-ignore no-explicit-any -- compared as a whole
  metadata: { name: string; [field: string]: any };
}

/** Configurations as they are stored, without what each write changes; who manages which fields is apart. */
export interface StoredConfigurations {
  readonly text: string;
  readonly managedFields: string;
}

/** Creates a ConfigMap as a dry run. @returns who answered for it, separated by commas @throws with kubectl's output if it is refused */
export async function answeredBy(namespace: string, name = "asked"): Promise<string> {
  const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace } };
  const created = await kubectl(["create", "--dry-run=server", "-f", "-", "-o", "json"], JSON.stringify(configMap));
  return JSON.parse(created).metadata.annotations?.[ANSWERED_BY] ?? "nobody";
}
