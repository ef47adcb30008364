import type { NewPod, PodSpec } from "../../api/kubernetes_objects.ts";
import { copiedSupervisorCommand, supervisorArgs } from "../../images/server_command.ts";
import { DENO_VARIABLES, metadata, podMetadata, serverMounts, serverPath, serverPod } from "./session_objects.ts";
import { CONTROL_PORT, type RunPlan } from "./session_plan.ts";
import { isObject, type JsonObject } from "../../api/exact_json.ts";
import { strategicMerge } from "./strategic_merge.ts";

/** The container that programs run in. */
export const RUN_CONTAINER = "program";
/** Where programs are written. */
const PROGRAM_FOLDER = "/kurun/program";
/** Room for a session's programs (two at a time while one replaces the other), and for what they write into /tmp. */
const PROGRAM_LIMIT_MIB = 1024;
const TMP_LIMIT_MIB = 1024;

/** Where the server is copied if programs run in another image, and how much room it gets. */
const BASE_FOLDER = "/kurun/base";
const BASE_LIMIT_MIB = 512;

/** The largest program, in bytes: the kubelet evicts a Pod whose volumes exceed their limits. */
export const MAX_PROGRAM_BYTES = PROGRAM_LIMIT_MIB * 1024 * 1024 / 2 - 1024 * 1024;

/** Fields of a Pod that overrides cannot change, by their path, each with the reason, and the value that changes nothing. */
const KEPT: readonly (readonly [path: readonly string[], why: string, same?: string])[] = [
  [["apiVersion"], "it is v1", "v1"],
  [["kind"], "it is Pod", "Pod"],
  [["metadata", "name"], "use --name"],
  [["metadata", "namespace"], "use -n"],
  [["metadata", "ownerReferences"], "the session owns the Pod"],
  [["status"], "the cluster sets it"],
  [["spec", "restartPolicy"], "a program runs once", "Never"],
  [["spec", "activeDeadlineSeconds"], "the session has its own deadline: --ttl"],
];
const KEPT_OF_CONTAINER: Readonly<Record<string, string>> = {
  image: "use --server-image",
  command: "it starts the supervisor, which starts the program",
  args: "arguments of the program follow its file on the command line",
  workingDir: "use --workdir",
  stdin: "input arrives through the tunnel",
  stdinOnce: "input arrives through the tunnel",
  tty: "use -t",
};

/** The Pod that runs programs, and a sentence for each of the user's overrides that was ignored. */
export function runPod(plan: RunPlan, uid: string): { pod: NewPod; ignored: string[] } {
  const common = metadata(plan, plan.name, uid);
  const { labels, annotations } = podMetadata(plan);
  const pod: NewPod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...common, labels, annotations: { ...common.annotations, ...annotations } },
    spec: podSpec(plan),
  };
  if (!plan.run.overrides) return { pod, ignored: [] };
  const { patch, kept } = withoutKept(plan.run.overrides, plan.name);
  const { merged, ignored } = strategicMerge(pod, patch);
  return { pod: merged, ignored: [...kept, ...ignored.map((path) => `${path}: this directive is not supported`)] };
}

function podSpec(plan: RunPlan): PodSpec {
  const { architecture, serviceAccount, requests, limits, baseImage } = plan.run;
  const resources = requests || limits ? { resources: { ...(requests ? { requests } : {}), ...(limits ? { limits } : {}) } } : {};
  const { pod, container } = serverPod(plan, RUN_CONTAINER, CONTROL_PORT);
  const spec = {
    ...pod,
    restartPolicy: "Never",
    // Programs that run here talk to the API server.
    automountServiceAccountToken: true,
    ...(serviceAccount === undefined ? {} : { serviceAccountName: serviceAccount }),
    ...(architecture === undefined ? {} : { nodeSelector: { "kubernetes.io/os": "linux", "kubernetes.io/arch": architecture } }),
    volumes: [
      ...pod.volumes,
      { name: "program", emptyDir: { sizeLimit: `${PROGRAM_LIMIT_MIB}Mi` } },
      { name: "tmp", emptyDir: { sizeLimit: `${TMP_LIMIT_MIB}Mi` } },
    ],
  };
  const program = {
    ...container,
    args: [...container.args, `--run=${PROGRAM_FOLDER}`],
    env: [...container.env, { name: "POD_NAMESPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } }],
    ...resources,
    volumeMounts: [...container.volumeMounts, { name: "program", mountPath: PROGRAM_FOLDER }, { name: "tmp", mountPath: "/tmp" }],
  };
  const supervisor = supervisorArgs(serverPath(plan));
  if (baseImage === undefined) {
    const volumeMounts = [...program.volumeMounts, ...serverMounts(plan)];
    return { ...spec, containers: [{ ...program, args: [...supervisor, ...program.args], volumeMounts }] };
  }
  const base = { name: "base", mountPath: BASE_FOLDER };
  const { imagePullPolicy, terminationMessagePolicy, securityContext } = container;
  return {
    ...spec,
    volumes: [...spec.volumes, { name: "base", emptyDir: { sizeLimit: `${BASE_LIMIT_MIB}Mi` } }],
    initContainers: [{
      name: "kurun",
      image: plan.image,
      imagePullPolicy,
      terminationMessagePolicy,
      securityContext,
      ...resources,
      args: [...supervisor, `--session=${plan.name}`, "--instance=kurun", `--base=${BASE_FOLDER}`, "--copy-base"],
      env: DENO_VARIABLES,
      volumeMounts: [...serverMounts(plan), base],
    }],
    containers: [{
      ...program,
      image: baseImage,
      command: copiedSupervisorCommand(BASE_FOLDER),
      args: [...program.args, `--base=${BASE_FOLDER}`],
      volumeMounts: [...program.volumeMounts, { ...base, readOnly: true }],
    }],
  };
}

/** A patch without the fields that cannot be overridden. A container without a name, or with the Pod's as `kubectl run` has it, is the program's. */
function withoutKept(overrides: JsonObject, name: string): { patch: JsonObject; kept: string[] } {
  const kept: string[] = [];
  const patch = structuredClone(overrides) as Record<string, unknown>;
  for (const [path, why, same] of KEPT) {
    const field = path.at(-1) as string;
    const parent = path.slice(0, -1).reduce<unknown>((at, field) => isObject(at) ? at[field] : undefined, patch);
    if (!isObject(parent) || !(field in parent)) continue;
    if (same === undefined || parent[field] !== same) kept.push(`${path.join(".")}: ${why}`);
    delete (parent as Record<string, unknown>)[field];
  }
  const containers = isObject(patch.spec) ? patch.spec.containers : undefined;
  for (const container of Array.isArray(containers) ? containers.filter(isObject) as Record<string, unknown>[] : []) {
    if (container.name === undefined || container.name === name) container.name = RUN_CONTAINER;
    if (container.name !== RUN_CONTAINER) continue;
    for (const [field, why] of Object.entries(KEPT_OF_CONTAINER)) {
      if (!(field in container)) continue;
      delete container[field];
      kept.push(`spec.containers[name=${RUN_CONTAINER}].${field}: ${why}`);
    }
  }
  return { patch, kept };
}
