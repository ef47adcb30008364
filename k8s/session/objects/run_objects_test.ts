import assert from "node:assert/strict";
import { runPod } from "./run_objects.ts";
import { podEnd } from "../pod/run_pod_end.ts";
import type { RunPod, SessionPlan } from "./session_objects.ts";

const PLAN: SessionPlan = {
  name: "hello-x2k4d",
  namespace: "dev",
  service: "hello-x2k4d",
  ports: [],
  image: "kurun",
  ttlSeconds: 120,
  holdMs: 0,
  annotations: { "kurun.dev/who": "me" },
};

// deno-lint-ignore no-explicit-any -- what a test looks at lies deep
function pod(wishes: RunPod): { pod: any; left: string[] } {
  return runPod(PLAN, wishes, { name: "hello-x2k4d", uid: "1" });
}

Deno.test("the Pod is as restricted wants it, writes into two bounded folders, and is owned by the session", () => {
  const { pod: { metadata, spec }, left } = pod({});
  assert.deepEqual(left, []);
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

Deno.test("architecture, ServiceAccount and amounts are what was asked for", () => {
  const { pod: { spec } } = pod({ architecture: "arm64", serviceAccount: "op", requests: { cpu: "1" }, limits: { memory: "1Gi" } });
  assert.deepEqual(spec.nodeSelector, { "kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64" });
  assert.equal(spec.serviceAccountName, "op");
  assert.deepEqual(spec.containers[0].resources, { requests: { cpu: "1" }, limits: { memory: "1Gi" } });
});

Deno.test("in another image the supervisor is copied there first, and runs by its own loader", () => {
  const { pod: { spec } } = pod({ baseImage: "debian" });
  assert.deepEqual(spec.initContainers.map(({ image, args }: { image: string; args: string[] }) => [image, args.slice(2)]), [
    ["kurun", ["--base=/kurun/base", "--copy-base"]],
  ]);
  const [container] = spec.containers;
  assert.equal(container.image, "debian");
  assert.deepEqual(container.command.slice(0, 4), ["/kurun/base/ld.so", "--library-path", "/kurun/base/lib", "/kurun/base/deno"]);
  assert.equal(container.securityContext.runAsUser, 65532);
  assert.equal(pod({}).pod.spec.initContainers, undefined);
});

Deno.test("overrides merge into the Pod; what is the session's own is left out and told", () => {
  const overrides = {
    apiVersion: "v1",
    kind: "Deployment",
    metadata: { annotations: { a: "b" }, ownerReferences: [] },
    spec: {
      nodeSelector: { disk: "ssd" },
      restartPolicy: "Never",
      containers: [{ image: "x", args: ["y"], resources: { limits: { cpu: "1" } } }, { name: "beside", image: "z" }],
    },
  };
  const { pod: { metadata, spec }, left } = pod({ architecture: "amd64", overrides });
  assert.deepEqual(left.map((text) => text.split(":")[0]), [
    "kind",
    "metadata.ownerReferences",
    "spec.containers[name=program].image",
    "spec.containers[name=program].args",
  ]);
  assert.equal(metadata.annotations.a, "b");
  assert.equal(metadata.ownerReferences.length, 1);
  assert.deepEqual(spec.nodeSelector, { "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", disk: "ssd" });
  assert.deepEqual(spec.containers.map(({ name, image }: { name: string; image: string }) => [name, image]), [["program", "kurun"], [
    "beside",
    "z",
  ]]);
  assert.deepEqual(spec.containers[0].resources, { limits: { cpu: "1" } });
});

Deno.test("a Pod's end is told with its reason, and a Pod that runs has none", () => {
  const withEnd = (terminated: { reason?: string; exitCode: number; message?: string }) => ({
    metadata: { name: "p" },
    status: { phase: "Failed", containerStatuses: [{ name: "beside", state: {} }, { name: "program", state: { terminated } }] },
  });
  assert.equal(podEnd({ metadata: { name: "p" }, status: { phase: "Running" } }, false), undefined);
  assert.deepEqual(podEnd(withEnd({ reason: "OOMKilled", exitCode: 137 }), false)?.kind, "out-of-memory");
  assert.deepEqual(podEnd(withEnd({ reason: "Error", exitCode: 1, message: "a\nb\n" }), false), {
    kind: "ended",
    message: "exit code 1, and it said last: b",
  });
  const evicted = { metadata: { name: "p" }, status: { phase: "Failed", reason: "Evicted", message: "too much" } };
  assert.deepEqual(podEnd(evicted, false), { kind: "evicted", message: "Evicted: too much" });
  assert.equal(podEnd({ metadata: { name: "p", deletionTimestamp: "2026" } }, false)?.kind, "deleted");
  assert.equal(podEnd({ metadata: { name: "p" } }, true)?.kind, "deleted");
});
