/**
 * The Pod of a session that runs programs. Pure: names and settings in, objects out.
 *
 * @module
 */
import { copiedSupervisorCommand, SUPERVISOR_COMMAND } from "../../images/server_command.ts";
import {
  containerSecurity,
  CONTROL_PORT,
  type KubernetesObject,
  metadata,
  type Owner,
  podSecurity,
  type RunPod,
  type SessionPlan,
} from "./session_objects.ts";
import { isObject, strategicMerge } from "./strategic_merge.ts";

/** The container that programs run in. */
export const RUN_CONTAINER = "program";
/** Where programs are written. */
const PROGRAM_FOLDER = "/kurun/program";
/** What the programs of a session may take, two at a time while one replaces the other, and what they may write into /tmp. */
const PROGRAM_LIMIT_MIB = 1024;
const TMP_LIMIT_MIB = 1024;

/** Where the server is copied to where programs run in another image, and what it takes at most. */
const BASE_FOLDER = "/kurun/base";
const BASE_LIMIT_MIB = 512;
/** Whom a program runs as in another image, whose own user may be root: the number of kurun's image. */
const BASE_USER = 65532;

/** A program is never larger, in bytes: the kubelet evicts a Pod whose volumes hold more than they may. */
export const MAX_PROGRAM_BYTES = PROGRAM_LIMIT_MIB * 1024 * 1024 / 2 - 1024 * 1024;

/** Fields of a Pod that are the session's own, by where they are in a patch, each with the reason. */
const KEPT: readonly (readonly [path: readonly string[], why: string])[] = [
  [["apiVersion"], "it is v1"],
  [["kind"], "it is Pod"],
  [["metadata", "name"], "see --name"],
  [["metadata", "namespace"], "see -n"],
  [["metadata", "ownerReferences"], "the session owns the Pod"],
  [["status"], "it is the cluster's"],
  [["spec", "restartPolicy"], "a program runs once"],
  [["spec", "activeDeadlineSeconds"], "the session has its own: --ttl"],
];
const KEPT_OF_CONTAINER: Readonly<Record<string, string>> = {
  image: "see --server-image",
  command: "it starts the supervisor, which starts the program",
  args: "the program's are those after its file",
  workingDir: "see --workdir",
  stdin: "input comes by the tunnel",
  stdinOnce: "input comes by the tunnel",
  tty: "see -t",
};

/** The Pod, and what of the user's overrides could not be applied, a sentence each. */
export function runPod(plan: SessionPlan, wishes: RunPod, owner: Owner): { pod: KubernetesObject; left: string[] } {
  const pod: KubernetesObject = { apiVersion: "v1", kind: "Pod", metadata: podMetadata(plan, owner), spec: podSpec(plan, wishes) };
  if (!wishes.overrides) return { pod, left: [] };
  const { patch, left } = withoutKept(wishes.overrides, plan.name);
  const { merged, unknown } = strategicMerge(pod, patch);
  return { pod: merged as KubernetesObject, left: [...left, ...unknown.map((path) => `${path}: such directives are not known here`)] };
}

function podMetadata(plan: SessionPlan, owner: Owner): Record<string, unknown> {
  const { labels, annotations, ...rest } = metadata(plan, plan.name, owner) as Record<string, Record<string, string>>;
  return {
    ...rest,
    labels: { ...plan.podLabels, ...labels, "sidecar.istio.io/inject": "false" },
    // The API server, whence the client comes, is outside of any mesh.
    annotations: { ...annotations, "sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled" },
  };
}

function podSpec(plan: SessionPlan, wishes: RunPod): Record<string, unknown> {
  const { architecture, serviceAccount, requests, limits, baseImage } = wishes;
  const resources = requests || limits ? { resources: { ...(requests ? { requests } : {}), ...(limits ? { limits } : {}) } } : {};
  const base = { name: "base", mountPath: BASE_FOLDER };
  return {
    ...podSecurity(),
    restartPolicy: "Never",
    // Programs that run here talk to the API server.
    automountServiceAccountToken: true,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 10,
    ...(serviceAccount === undefined ? {} : { serviceAccountName: serviceAccount }),
    ...(architecture === undefined ? {} : { nodeSelector: { "kubernetes.io/os": "linux", "kubernetes.io/arch": architecture } }),
    ...(plan.imagePullSecret === undefined ? {} : { imagePullSecrets: [{ name: plan.imagePullSecret }] }),
    volumes: [
      { name: "session", secret: { secretName: plan.name } },
      { name: "program", emptyDir: { sizeLimit: `${PROGRAM_LIMIT_MIB}Mi` } },
      { name: "tmp", emptyDir: { sizeLimit: `${TMP_LIMIT_MIB}Mi` } },
      ...(baseImage === undefined ? [] : [{ name: "base", emptyDir: { sizeLimit: `${BASE_LIMIT_MIB}Mi` } }]),
    ],
    ...(baseImage === undefined ? {} : {
      initContainers: [{
        name: "kurun",
        image: plan.image,
        imagePullPolicy: "IfNotPresent",
        command: [...SUPERVISOR_COMMAND],
        args: [`--session=${plan.name}`, "--instance=kurun", `--base=${BASE_FOLDER}`, "--copy-base"],
        terminationMessagePolicy: "FallbackToLogsOnError",
        ...resources,
        volumeMounts: [base],
        ...containerSecurity({ readOnlyRootFilesystem: true }),
      }],
    }),
    containers: [{
      name: RUN_CONTAINER,
      image: baseImage ?? plan.image,
      imagePullPolicy: "IfNotPresent",
      command: [...(baseImage === undefined ? SUPERVISOR_COMMAND : copiedSupervisorCommand(BASE_FOLDER))],
      args: [
        `--session=${plan.name}`,
        "--instance=$(POD_NAME)",
        `--control-port=${CONTROL_PORT}`,
        "--secret-dir=/kurun/session",
        `--run=${PROGRAM_FOLDER}`,
        ...(baseImage === undefined ? [] : [`--base=${BASE_FOLDER}`]),
      ],
      env: [
        { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
        { name: "POD_NAMESPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
        // What kurun's own image has.
        ...(baseImage === undefined ? [] : [
          { name: "HOME", value: "/tmp" },
          { name: "DENO_DIR", value: "/tmp/deno" },
          { name: "DENO_NO_UPDATE_CHECK", value: "1" },
          { name: "DENO_USE_CGROUPS", value: "1" },
          { name: "NO_COLOR", value: "1" },
        ]),
      ],
      ports: [{ name: "kurun-control", containerPort: CONTROL_PORT }],
      readinessProbe: { httpGet: { scheme: "HTTPS", path: "/healthz", port: CONTROL_PORT }, periodSeconds: 1, timeoutSeconds: 2 },
      terminationMessagePolicy: "FallbackToLogsOnError",
      ...resources,
      volumeMounts: [
        { name: "session", mountPath: "/kurun/session", readOnly: true },
        { name: "program", mountPath: PROGRAM_FOLDER },
        { name: "tmp", mountPath: "/tmp" },
        ...(baseImage === undefined ? [] : [{ ...base, readOnly: true }]),
      ],
      ...containerSecurity({ readOnlyRootFilesystem: true, ...(baseImage === undefined ? {} : { runAsUser: BASE_USER }) }),
    }],
  };
}

/** A patch without what is the session's own; a container without a name, or with the Pod's as kubectl run has it, is the program's. */
function withoutKept(overrides: Readonly<Record<string, unknown>>, name: string): { patch: Record<string, unknown>; left: string[] } {
  const left: string[] = [];
  const patch = structuredClone(overrides) as Record<string, unknown>;
  for (const [path, why] of KEPT) {
    const parent = path.slice(0, -1).reduce<unknown>((at, field) => isObject(at) ? at[field] : undefined, patch);
    const field = path.at(-1) as string;
    if (!isObject(parent) || !(field in parent)) continue;
    const harmless = (field === "apiVersion" && parent[field] === "v1") || (field === "kind" && parent[field] === "Pod") ||
      (field === "restartPolicy" && parent[field] === "Never");
    delete parent[field];
    if (!harmless) left.push(`${path.join(".")}: ${why}`);
  }
  const containers = isObject(patch.spec) ? patch.spec.containers : undefined;
  for (const container of Array.isArray(containers) ? containers.filter(isObject) : []) {
    if (container.name === undefined || container.name === name) container.name = RUN_CONTAINER;
    if (container.name !== RUN_CONTAINER) continue;
    for (const [field, why] of Object.entries(KEPT_OF_CONTAINER)) {
      if (!(field in container)) continue;
      delete container[field];
      left.push(`spec.containers[name=${RUN_CONTAINER}].${field}: ${why}`);
    }
  }
  return { patch, left };
}
