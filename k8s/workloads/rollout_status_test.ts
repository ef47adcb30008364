import assert from "node:assert/strict";
import type { Pod, Workload } from "../api/kubernetes_objects.ts";
import { podReason, podSelector, rolloutStatus } from "./rollout_status.ts";

const judge = (kind: string, spec: unknown, status: unknown, generation = 1) =>
  rolloutStatus(kind === "Pod" ? "" : "apps", kind, {
    metadata: { generation },
    spec,
    status: { observedGeneration: 1, ...status as object },
  } as Workload);

Deno.test("a Deployment is ready once all its Pods are updated and available", () => {
  const spec = { replicas: 3 };
  assert.equal(judge("Deployment", spec, {}, 2).state, "its controller has not observed it yet");
  assert.equal(judge("Deployment", spec, { updatedReplicas: 1, replicas: 3 }).state, "1 of 3 new Pods exist");
  assert.equal(judge("Deployment", spec, { updatedReplicas: 3, replicas: 4 }).state, "1 old Pods still exist");
  assert.equal(judge("Deployment", spec, { updatedReplicas: 3, replicas: 3, availableReplicas: 2 }).state, "2 of 3 Pods are ready");
  assert.equal(judge("Deployment", spec, { updatedReplicas: 3, replicas: 3, availableReplicas: 3 }).done, true);
  assert.equal(judge("Deployment", { replicas: 0 }, {}).done, true);
});

Deno.test("a Deployment reports why its Pods are refused or late", () => {
  const refused = { type: "ReplicaFailure", status: "True", message: "exceeded quota" };
  assert.equal(judge("Deployment", {}, { conditions: [refused] }).state, "0 of 1 new Pods exist: exceeded quota");
  const late = { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" };
  assert.equal(judge("Deployment", {}, { conditions: [late, refused] }).failure, "its progress deadline is exceeded: exceeded quota");
});

Deno.test("a StatefulSet is ready once its Pods are ready and updated down to its partition", () => {
  const rolling = { updateStrategy: { type: "RollingUpdate" }, replicas: 3 };
  assert.equal(judge("StatefulSet", rolling, { readyReplicas: 2 }).state, "2 of 3 Pods are ready");
  const old = { readyReplicas: 3, updatedReplicas: 1, currentRevision: "a", updateRevision: "b" };
  assert.equal(judge("StatefulSet", rolling, old).state, "1 of 3 Pods are new");
  assert.equal(
    judge("StatefulSet", { ...rolling, updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } } }, old).done,
    true,
  );
  assert.equal(judge("StatefulSet", { ...rolling, updateStrategy: { type: "OnDelete" } }, old).done, true);
  assert.equal(judge("StatefulSet", rolling, { readyReplicas: 3, currentRevision: "b", updateRevision: "b" }).done, true);
});

Deno.test("a DaemonSet is ready once it is on all its nodes, a Pod once it is Ready or has succeeded", () => {
  assert.equal(judge("DaemonSet", {}, { desiredNumberScheduled: 2, updatedNumberScheduled: 1 }).state, "1 of 2 new Pods exist");
  assert.equal(
    judge("DaemonSet", {}, { desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 1 }).state,
    "1 of 2 Pods are ready",
  );
  assert.equal(judge("DaemonSet", {}, { desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2 }).done, true);
  assert.equal(judge("Pod", {}, { phase: "Running" }).done, false);
  assert.equal(judge("Pod", {}, { phase: "Running", conditions: [{ type: "Ready", status: "True" }] }).done, true);
  assert.equal(judge("Pod", {}, { phase: "Succeeded" }).done, true);
  assert.equal(judge("Pod", {}, { phase: "Failed", message: "evicted" }).failure, "evicted");
});

Deno.test("a Job is ready once it has succeeded, and a suspended one is not waited for", () => {
  const job = (spec: Record<string, unknown>, status: Record<string, unknown>) =>
    rolloutStatus("batch", "Job", { metadata: { generation: 1 }, spec, status } as Workload);
  assert.equal(job({ completions: 3 }, { succeeded: 1 }).state, "1 of 3 Pods have succeeded");
  assert.equal(job({}, { conditions: [{ type: "Complete", status: "True" }] }).done, true);
  const failed = { type: "Failed", status: "True", message: "Job has reached the specified backoff limit" };
  assert.equal(job({}, { conditions: [failed] }).failure, failed.message);
  assert.equal(job({}, { conditions: [{ ...failed, status: "False" }] }).done, false);
  assert.equal(job({ suspend: true }, {}).done, true);
});

Deno.test("a Pod's reason is that of the first container that blocks it, init containers first", () => {
  const pod = (status: unknown) => ({ metadata: { name: "a" }, status }) as Pod;
  const starting = { containerStatuses: [{ state: { waiting: { reason: "PodInitializing" } } }] };
  assert.equal(
    podReason(pod({ ...starting, initContainerStatuses: [{ state: { terminated: { exitCode: 0 } } }, { state: { running: {} } }] })),
    undefined,
  );
  const pull = { state: { waiting: { reason: "ErrImagePull", message: "no such host" } } };
  assert.equal(podReason(pod({ ...starting, initContainerStatuses: [pull] })), "ErrImagePull: no such host");
  const ended = { state: { terminated: { exitCode: 3, reason: "Error", message: "panic: no\n" } } };
  assert.equal(podReason(pod({ containerStatuses: [ended] })), "exited with code 3; its last line was: panic: no");
  assert.equal(
    podReason({ ...pod({ containerStatuses: [pull] }), metadata: { name: "a", uid: "u", deletionTimestamp: "now" } }),
    undefined,
  );
});

Deno.test("Pods are selected by the workload's labels", () => {
  const selector = (spec: unknown) => podSelector({ spec } as Workload);
  assert.equal(selector({ selector: { matchLabels: { a: "b", c: "d" } } }), "a=b,c=d");
  assert.equal(selector({}), undefined);
});
