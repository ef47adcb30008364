import assert from "node:assert/strict";
import type { Pod } from "../../api/kubernetes_objects.ts";
import { runPod } from "./run_objects.ts";
import { podEnd as endOf } from "../pod/run_pod_end.ts";
import type { RunPlan, RunPod } from "./session_plan.ts";

const PLAN: RunPlan = {
  name: "hello-x2k4d",
  namespace: "dev",
  service: "hello-x2k4d",
  image: "kurun",
  ttlSeconds: 120,
  annotations: { "kurun.dev/who": "me" },
  run: {},
};

// deno-lint-ignore no-explicit-any -- tests read deeply nested fields
function pod(run: RunPod, more: Partial<RunPlan> = {}): { pod: any; ignored: string[] } {
  return runPod({ ...PLAN, ...more, run }, "1");
}

Deno.test("the Pod meets the level restricted, writes only into two bounded folders, and is owned by the session", () => {
  const { pod: { metadata, spec }, ignored } = pod({});
  assert.deepEqual(ignored, []);
  assert.deepEqual(metadata.ownerReferences, [{ apiVersion: "batch/v1", kind: "Job", name: "hello-x2k4d", uid: "1" }]);
  assert.equal(metadata.labels["kurun.dev/session"], "hello-x2k4d");
  assert.deepEqual(spec.securityContext, { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
  const [container] = spec.containers;
  assert.deepEqual(container.securityContext, {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ["ALL"] },
    readOnlyRootFilesystem: true,
  });
  const written = spec.volumes.filter(({ emptyDir }: { emptyDir?: unknown }) => emptyDir);
  assert.deepEqual(written.map(({ name, emptyDir }: { name: string; emptyDir: unknown }) => [name, emptyDir]), [
    ["program", { sizeLimit: "1024Mi" }],
    ["tmp", { sizeLimit: "1024Mi" }],
  ]);
  assert.deepEqual([spec.restartPolicy, spec.automountServiceAccountToken, spec.nodeSelector, container.resources], [
    "Never",
    true,
    undefined,
    undefined,
  ]);
});

Deno.test("architecture, ServiceAccount and quantities are those of the plan", () => {
  const { pod: { spec } } = pod({ architecture: "arm64", serviceAccount: "op", requests: { cpu: "1" }, limits: { memory: "1Gi" } });
  assert.deepEqual(spec.nodeSelector, { "kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64" });
  assert.equal(spec.serviceAccountName, "op");
  assert.deepEqual(spec.containers[0].resources, { requests: { cpu: "1" }, limits: { memory: "1Gi" } });
});

Deno.test("with another image an init container copies the supervisor, which runs with its own loader", () => {
  const { pod: { spec } } = pod({ baseImage: "debian" });
  assert.deepEqual(spec.initContainers.map(({ image, args }: { image: string; args: string[] }) => [image, args[0], ...args.slice(-2)]), [
    ["kurun", "run", "--base=/kurun/base", "--copy-base"],
  ]);
  const [container] = spec.containers;
  assert.equal(container.image, "debian");
  assert.deepEqual(container.command.slice(0, 4), ["/kurun/base/ld.so", "--library-path", "/kurun/base/lib", "/kurun/base/deno"]);
  assert.deepEqual(container.env.slice(0, 5).map(({ name, value }: { name: string; value: string }) => `${name}=${value}`), [
    "HOME=/tmp",
    "DENO_DIR=/tmp/deno",
    "DENO_NO_UPDATE_CHECK=1",
    "DENO_USE_CGROUPS=1",
    "NO_COLOR=1",
  ]);
  assert.equal(pod({}).pod.spec.initContainers, undefined);
});

Deno.test("a server that the image lacks is mounted where Deno starts it: in the program's container, or where it is copied from", () => {
  const mounts = ({ volumeMounts }: { volumeMounts: { name: string }[] }) => volumeMounts.filter(({ name }) => name === "server");
  const mounted = [{ name: "server", mountPath: "/kurun/server", readOnly: true }];
  const server = { server: "// server", runAsUser: 65532 };
  const { pod: { spec } } = pod({}, server);
  assert.deepEqual(spec.volumes[1], { name: "server", configMap: { name: "hello-x2k4d" } });
  assert.deepEqual(mounts(spec.containers[0]), mounted);
  assert.ok(spec.containers[0].args.includes("/kurun/server/server.js"));
  assert.deepEqual([spec.containers[0].command, spec.securityContext.runAsUser], [undefined, 65532]);
  const { pod: { spec: based } } = pod({ baseImage: "debian" }, server);
  assert.deepEqual(mounts(based.initContainers[0]), mounted);
  assert.ok(based.initContainers[0].args.includes("/kurun/server/server.js"));
  assert.deepEqual(mounts(based.containers[0]), []);
  assert.equal(based.containers[0].command.at(-1), "/kurun/base/server.js");
  assert.ok(!JSON.stringify(pod({})).includes("/kurun/server/"), "the image has the server");
});

Deno.test("overrides merge into the Pod; fields of the session are ignored and reported", () => {
  const overrides = {
    apiVersion: "v1",
    kind: "Deployment",
    metadata: { annotations: { a: "b" }, ownerReferences: [] },
    spec: {
      nodeSelector: { disk: "ssd" },
      restartPolicy: "Never",
      containers: [{ image: "x", args: ["y"], resources: { limits: { cpu: "1" } } }, { name: "sidecar", image: "z" }],
    },
  };
  const { pod: { metadata, spec }, ignored } = pod({ architecture: "amd64", overrides });
  assert.deepEqual(ignored.map((text) => text.split(":")[0]), [
    "kind",
    "metadata.ownerReferences",
    "spec.containers[name=program].image",
    "spec.containers[name=program].args",
  ]);
  assert.equal(metadata.annotations.a, "b");
  assert.equal(metadata.ownerReferences.length, 1);
  assert.deepEqual(spec.nodeSelector, { "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", disk: "ssd" });
  assert.deepEqual(spec.containers.map(({ name, image }: { name: string; image: string }) => [name, image]), [["program", "kurun"], [
    "sidecar",
    "z",
  ]]);
  assert.deepEqual(spec.containers[0].resources, { limits: { cpu: "1" } });
});

Deno.test("a Pod's end has its reason, and a running Pod has none", () => {
  const podEnd = (pod: unknown, gone: boolean) => endOf(pod as Pod, gone);
  const withEnd = (terminated: { reason?: string; exitCode: number; message?: string }) => ({
    metadata: { name: "p" },
    status: { phase: "Failed", containerStatuses: [{ name: "sidecar", state: {} }, { name: "program", state: { terminated } }] },
  });
  assert.equal(podEnd({ metadata: { name: "p" }, status: { phase: "Running" } }, false), undefined);
  assert.deepEqual(podEnd(withEnd({ reason: "OOMKilled", exitCode: 137 }), false)?.kind, "out-of-memory");
  assert.deepEqual(podEnd(withEnd({ reason: "Error", exitCode: 1, message: "a\nb\n" }), false), {
    kind: "ended",
    message: "exit code 1; its last line was: b",
  });
  const evicted = { metadata: { name: "p" }, status: { phase: "Failed", reason: "Evicted", message: "too much" } };
  assert.deepEqual(podEnd(evicted, false), { kind: "evicted", message: "Evicted: too much" });
  assert.equal(podEnd({ metadata: { name: "p", deletionTimestamp: "2026" } }, false)?.kind, "deleted");
  assert.equal(podEnd({ metadata: { name: "p" } }, true)?.kind, "deleted");
});
