/**
 * Mistakes of users and refusals by the cluster: each gets its exact message and exit code, and leaves nothing behind.
 *
 * @module
 */
import assert from "node:assert/strict";
import { selfSignedServerCertificate } from "../../k8s/certificate/certificate.ts";
import { type Kubeconfig, KubeconfigFile } from "./kubeconfig_file.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, type TestNamespace } from "./kubernetes.ts";

interface Mistake {
  readonly name: string;
  /** The arguments after `port-forward`. @default `8080` */
  readonly args?: readonly string[];
  /** Changes the cluster's kubeconfig. */
  readonly kubeconfig?: (kubeconfig: Kubeconfig) => void | Promise<void>;
  /** Objects that exist before the start. */
  readonly objects?: readonly Record<string, unknown>[];
  /** Set if only the cluster's answer to the first objects shows the mistake. */
  readonly refusedFirst?: false;
  readonly code: number;
  /** All of stderr; NAMESPACE stands for the test's namespace. */
  readonly stderr: string | RegExp;
}

/** An API server that does not listen. */
const NOBODY = "https://127.0.0.1:1";

const USAGE: readonly Mistake[] = [
  { name: "no URL at all", args: [], code: 2, stderr: /^error: missing required argument 'url'\n/ },
  {
    name: "an invalid URL",
    args: ["http://["],
    code: 2,
    stderr: /^error: "http:\/\/\[" has the host \[, which is neither a name nor an address\. Example: http:\/\/localhost:8080\n$/,
  },
  { name: "an unknown scheme", args: ["ftp://localhost"], code: 2, stderr: /^error: "ftp:\/\/localhost" has the scheme ftp, / },
  {
    name: "an invalid port",
    args: ["8080", "--serviceport", "70000"],
    code: 2,
    stderr: "error: --serviceport must be 1 to 65535, got 70000\n",
  },
  {
    name: "an invalid Service name",
    args: ["8080", "--servicename", "My_Service"],
    code: 2,
    stderr: "error: --servicename My_Service is not a valid Service name: use lower-case letters, digits and -, at most 51 characters\n",
  },
  {
    name: "a name too long for the session's label",
    args: ["8080", "--servicename", "s".repeat(52)],
    code: 2,
    stderr: `error: --servicename ${
      "s".repeat(52)
    } is not a valid Service name: use lower-case letters, digits and -, at most 51 characters\n`,
  },
  {
    name: "an invalid duration",
    args: ["8080", "--timeout", "soon"],
    code: 2,
    stderr: "error: --timeout soon is not a duration: try 30s, 2m or 1h\n",
  },
  {
    name: "an invalid label",
    args: ["8080", "--label", "nothing"],
    code: 2,
    stderr: 'error: --label "nothing" is not a valid label: write key=value\n',
  },
  { name: "an unknown flag", args: ["8080", "--nosuch"], code: 2, stderr: /^error: unknown option '--nosuch'\n/ },
];

const WAY: readonly Mistake[] = [
  {
    name: "a namespace that does not exist",
    args: ["8080", "-n", "no-such-namespace"],
    code: 3,
    stderr:
      "error: namespace no-such-namespace does not exist: create it with kubectl create namespace no-such-namespace, or choose another with -n\n",
  },
  {
    name: "a context that does not exist",
    args: ["8080", "--context", "nosuch"],
    kubeconfig: (kubeconfig) => {
      kubeconfig.contexts[0]!.name = "kind-dev";
      kubeconfig.contexts.push({ name: "prod", context: kubeconfig.contexts[0]!.context });
    },
    code: 3,
    stderr: /^error: .*nosuch.*; available: kind-dev, prod\n$/,
  },
  {
    name: "a kubeconfig that does not exist",
    args: ["8080", "--kubeconfig", "/nosuch/config"],
    code: 3,
    stderr: /^error: .*\/nosuch\/config.*\n$/,
  },
  {
    name: "a cluster that refuses the connection",
    kubeconfig: server(NOBODY),
    code: 3,
    stderr:
      /^error: cannot reach the API server at 127\.0\.0\.1:1: .*refused.*; check that the cluster is running and that this is its address\n$/i,
  },
  {
    name: "a cluster whose name does not resolve",
    kubeconfig: server("https://api.nosuch.invalid:6443"),
    code: 3,
    stderr:
      /^error: cannot reach the API server at api\.nosuch\.invalid:6443: .*; check the name, the network, and the VPN if the cluster needs one\n$/,
  },
  {
    name: "a cluster that accepts the connection and never answers",
    args: ["8080", "--request-timeout", "1s"],
    kubeconfig: server(silentServer),
    code: 3,
    stderr:
      /^error: cannot reach the API server at 127\.0\.0\.1:\d+: no answer within 1 s; check the address, the network, and the VPN if the cluster needs one\n$/,
  },
  {
    name: "wrong credentials",
    kubeconfig: (kubeconfig) => void (kubeconfig.users[0]!.user = { token: "wrong" }),
    code: 3,
    stderr:
      "error: the API server does not accept these credentials (401 Unauthorized)\nLog in again, or choose another user or context.\n",
  },
  {
    name: "an API server whose certificate another authority signed",
    kubeconfig: async (kubeconfig) => {
      const { certPem } = await selfSignedServerCertificate({ names: ["other"], days: 1, now: new Date() });
      kubeconfig.clusters[0]!.cluster["certificate-authority-data"] = btoa(certPem);
    },
    code: 3,
    stderr:
      /^error: cannot reach the API server at \S+: .*; the kubeconfig's certificate-authority did not sign the API server's certificate\n$/,
  },
];

const SERVICES: readonly Mistake[] = [
  {
    name: "an ExternalName Service",
    objects: [service({ type: "ExternalName", externalName: "example.com" })],
    code: 3,
    stderr: "error: Service kurun in namespace NAMESPACE is an ExternalName for example.com and has no Pods: " +
      "choose another name with --servicename\n",
  },
  {
    name: "a Service without a selector",
    objects: [service({ ports: [{ port: 80 }] })],
    code: 3,
    stderr: "error: Service kurun in namespace NAMESPACE has no selector, so kurun's Pod cannot join it (its endpoints are set by hand): " +
      "choose another name with --servicename\n",
  },
  {
    name: "a Service without a TCP port",
    objects: [service({ selector: { app: "x" }, ports: [{ port: 53, protocol: "UDP" }] })],
    code: 3,
    stderr:
      "error: Service kurun in namespace NAMESPACE has no TCP port, and kurun serves only TCP: choose another name with --servicename\n",
  },
  {
    name: "a port that the Service lacks",
    args: ["8080", "--serviceport", "8080"],
    objects: [service({ selector: { app: "x" }, ports: [{ name: "a", port: 80 }, { name: "b", port: 443 }] })],
    code: 3,
    stderr: "error: Service kurun in namespace NAMESPACE has no TCP port 8080, only 80, 443: omit --serviceport to serve all its ports\n",
  },
  {
    name: "another Service with the control Service's name",
    objects: [service({ selector: { app: "x" }, ports: [{ port: 80 }] }, "kurun-kurun")],
    code: 3,
    stderr:
      "error: Service kurun-kurun in namespace NAMESPACE does not belong to kurun, which needs this name: choose another name with --servicename\n",
  },
];

const REFUSED_OBJECTS: readonly Mistake[] = [
  {
    name: "a failing webhook for kurun's Services",
    objects: [webhookAbout("services")],
    refusedFirst: false,
    code: 3,
    stderr:
      /^Error from server \(InternalError\): Internal error occurred: failed calling webhook "services\.kurun\.test": .*service "nosuch" not found\n {2}The webhook services\.kurun\.test matches kurun's own objects and does not answer\. Find and delete its configuration, then retry:\n {4}kubectl get [^\n]*\n {4}kubectl delete KIND NAME\n {2}To prevent this, add to the webhook in its configuration:\n {4}objectSelector: \{matchExpressions: \[\{key: kurun\.dev\/session, operator: DoesNotExist\}\]\}\n$/,
  },
  {
    name: "a quota that has no room for the session",
    objects: [{ apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "none" }, spec: { hard: { "count/jobs.batch": "0" } } }],
    code: 3,
    stderr:
      /^Error from server \(Forbidden\): jobs\.batch "kurun-kurun-\w{5}" is forbidden: exceeded quota: none, requested: count\/jobs\.batch=1, used: count\/jobs\.batch=0, limited: count\/jobs\.batch=0\n$/,
  },
];

const GAVE_UP = "error: kurun's Pod was not ready within 5 s; everything was removed again. It waited for:\n";

const REFUSED_PODS: readonly Mistake[] = [
  {
    name: "a quota that has no room for the Pod",
    objects: [{ apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "none" }, spec: { hard: { pods: "0" } } }],
    code: 1,
    stderr: refused(
      /FailedCreate: Error creating: pods "kurun-kurun-\S+" is forbidden: exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0\n {2}Free some of the namespace's quota, or choose another namespace with -n\./,
    ),
  },
  {
    name: "a LimitRange that the Pod exceeds",
    objects: [{
      apiVersion: "v1",
      kind: "LimitRange",
      metadata: { name: "small" },
      spec: { limits: [{ type: "Container", max: { memory: "64Mi" }, default: { memory: "64Mi" } }] },
    }],
    code: 1,
    stderr: refused(
      /FailedCreate: Error creating: pods "kurun-kurun-\S+" is forbidden: maximum memory usage per Container is 64Mi, but limit is 640Mi\n {2}Set what the namespace allows: --server-overrides '{"resources": {"limits": {"cpu": "500m", "memory": "256Mi"}}}'\./,
    ),
  },
  {
    name: "a failing webhook for kurun's Pod",
    args: ["8080", "--timeout", "5s"],
    objects: [webhookAbout("pods")],
    code: 1,
    stderr: twice(
      /FailedCreate: Error creating: Internal error occurred: failed calling webhook "pods.kurun.test": .*service "nosuch" not found\n {2}The webhook pods\.kurun\.test matches kurun's own objects and does not answer\. Find and delete its configuration, then retry:\n {4}kubectl get [^\n]*\n {4}kubectl delete KIND NAME\n {2}To prevent this, add to the webhook in its configuration:\n {4}objectSelector: \{matchExpressions: \[\{key: kurun\.dev\/session, operator: DoesNotExist\}\]\}/,
    ),
  },
  {
    name: "a node selector that no node has",
    args: ["8080", "--timeout", "5s", "--server-overrides", '{"nodeSelector":{"kurun.test/nosuch":"true"}}'],
    code: 1,
    stderr: twice(/Unschedulable: 0\/\d+ nodes are available: .*didn't match Pod's node affinity\/selector.*/),
  },
  {
    name: "an image that does not exist",
    args: ["8080", "--timeout", "5s", "--server-image", "kurun.test/no-such-image:1"],
    code: 1,
    stderr: twice(
      /(ErrImagePull|ImagePullBackOff): .*kurun\.test\/no-such-image:1.*\n {2}Copy kurun\.test\/no-such-image:1 to a registry that the nodes can pull from, and name the copy with --server-image or KURUN_SERVER_IMAGE\. Without a registry, use what `kurun image` writes \(see kurun image --help\)\./,
    ),
  },
  {
    name: "an image that is not the server's",
    args: ["8080", "--timeout", "6s", "--server-image", "kurun.test/toolbox:1"],
    code: 1,
    stderr:
      /^Waiting for the Pod: (CrashLoopBackOff: )?exited with code \d+.*; its last line was: .*\nerror: kurun's Pod was not ready within 6 s; everything was removed again\. It waited for:\n {2}.*exited with code \d+.*; its last line was: .*\n$/,
  },
];

/** The reason, printed while kurun waits, perhaps after the pull itself, and again when it gives up. */
function twice(reason: RegExp): RegExp {
  return new RegExp(
    `^(?:Waiting for the Pod: Pulling image "[^"]*"\\n)?Waiting for the Pod: ${reason.source}\\n${
      GAVE_UP.replace(/[.]/g, "\\.")
    }  ${reason.source}\\n$`,
  );
}

/** The reason, printed at once: waiting does not help. */
function refused(reason: RegExp): RegExp {
  return new RegExp(`^error: the cluster refuses kurun's Pod; everything was removed again:\\n {2}${reason.source}\\n$`);
}

for (const mistake of [...USAGE, ...WAY, ...SERVICES, ...REFUSED_OBJECTS, ...REFUSED_PODS]) {
  clusterTest(`${mistake.name}: one sentence, exit code ${mistake.code}, and nothing is left`, async (namespace) => {
    await create(namespace, mistake.objects ?? []);
    const before = await newestVersion();
    await using kubeconfig = await KubeconfigFile.create(mistake.kubeconfig ?? (() => {}));
    const { args = ["8080"] } = mistake;
    const where = [
      ...args.includes("-n") ? [] : ["-n", namespace.name],
      ...args.includes("--kubeconfig") ? [] : ["--kubeconfig", kubeconfig.path],
    ];
    const { code, stdout, stderr } = await KurunProcess.run(["port-forward", ...args, ...where]);
    const text = stderr.replaceAll(namespace.name, "NAMESPACE");
    if (typeof mistake.stderr === "string") assert.equal(text, mistake.stderr);
    else assert.match(text, mistake.stderr);
    assert.doesNotMatch(text, /^\s+at /m);
    assert.equal(code, mistake.code);
    assert.equal(stdout, "");
    assert.deepEqual(await namespace.leftOfKurun(), []);
    if (mistake.refusedFirst !== false && mistake.code !== 1) assert.equal(await jobsSince(before, namespace), "");
  });
}

/** The cluster's current resourceVersion. */
async function newestVersion(): Promise<string> {
  return JSON.parse(await kubectl(["get", "--raw", "/apis/batch/v1/jobs?limit=1"])).metadata.resourceVersion;
}

/** The events of Jobs since then, removed ones included: a session begins with a Job. */
async function jobsSince(version: string, namespace: TestNamespace): Promise<string> {
  const jobs = `/apis/batch/v1/namespaces/${namespace.name}/jobs`;
  return await kubectl(["get", "--raw", `${jobs}?watch=true&resourceVersion=${version}&timeoutSeconds=1`]);
}

function server(url: string | (() => string)): (kubeconfig: Kubeconfig) => void {
  return (kubeconfig) => void (kubeconfig.clusters[0]!.cluster["server"] = typeof url === "string" ? url : url());
}

/** Accepts connections for as long as the tests run, and never answers. */
function silentServer(): string {
  return `https://127.0.0.1:${Deno.listen({ hostname: "127.0.0.1", port: 0 }).addr.port}`;
}

function service(spec: Record<string, unknown>, name = "kurun"): Record<string, unknown> {
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec };
}

/** A webhook for objects of the namespace that nobody answers. The namespace owns it, so it is removed with the namespace. */
function webhookAbout(resource: string): Record<string, unknown> {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "NAMESPACE" },
    webhooks: [{
      name: `${resource}.kurun.test`,
      clientConfig: { service: { namespace: "NAMESPACE", name: "nosuch", path: "/" } },
      rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: [resource] }],
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "NAMESPACE" } },
      failurePolicy: "Fail",
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
    }],
  };
}

async function create(namespace: TestNamespace, objects: readonly Record<string, unknown>[]): Promise<void> {
  if (objects.length === 0) return;
  const uid = await kubectl(["get", "namespace", namespace.name, "-o", "jsonpath={.metadata.uid}"]);
  const owner = [{ apiVersion: "v1", kind: "Namespace", name: namespace.name, uid }];
  const items = objects.map((object) =>
    object.kind === "ValidatingWebhookConfiguration"
      ? { ...object, metadata: { ...object.metadata as Record<string, unknown>, ownerReferences: owner } }
      : object
  );
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items }).replaceAll("NAMESPACE", namespace.name);
  await kubectl(["create", "-n", namespace.name, "-f", "-"], list);
}
