import assert from "node:assert/strict";
import type { ClusterEvent, Pod } from "../api/kubernetes_objects.ts";
import { eventWaitsFor, podWaitsFor as waitsFor } from "./pod_status.ts";

const metadata = { name: "web-kurun-bcdfg-1-2" };
const podWaitsFor = (pod: unknown) => waitsFor(pod as Pod);

Deno.test("a Pod that is just starting waits for nothing worth reporting", () => {
  const containerStatuses = [{ state: { waiting: { reason: "ContainerCreating" } } }];
  assert.equal(podWaitsFor({ metadata, status: { containerStatuses } }), undefined);
  assert.equal(podWaitsFor({ metadata }), undefined);
});

Deno.test("an unschedulable Pod waits for scheduling, in the scheduler's words", () => {
  const conditions = [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/1 nodes are available" }];
  assert.deepEqual(podWaitsFor({ metadata, status: { conditions } }), {
    kind: "scheduling",
    reason: "Unschedulable",
    message: "0/1 nodes are available",
  });
});

Deno.test("a container that keeps crashing is reported with its last line", () => {
  const terminated = { exitCode: 1, reason: "Error", message: "starting\nthe key is missing\n" };
  const containerStatuses = [{ state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 10s" } }, lastState: { terminated } }];
  assert.deepEqual(podWaitsFor({ metadata, status: { containerStatuses } }), {
    kind: "crash",
    reason: "CrashLoopBackOff",
    message: "exited with code 1; its last line was: the key is missing",
  });
});

Deno.test("an image that cannot be pulled is reported as such", () => {
  const containerStatuses = [{ image: "web:1", state: { waiting: { reason: "ErrImagePull", message: "not found\n" } } }];
  assert.deepEqual(podWaitsFor({ metadata, status: { containerStatuses } }), {
    kind: "image",
    reason: "ErrImagePull",
    message: "not found",
    image: "web:1",
  });
});

Deno.test("events of the Deployment's own objects are reported, except those that the Pod's status repeats", () => {
  const about = (name: string, reason: string, type = "Warning") =>
    eventWaitsFor(
      { type, reason, message: "(combined from similar events): why", involvedObject: { name } } as ClusterEvent,
      "web-kurun-bcdfg",
    );
  assert.deepEqual(about("web-kurun-bcdfg-7b7f", "FailedCreate"), { kind: "admission", reason: "FailedCreate", message: "why" });
  assert.deepEqual(about("web-kurun-bcdfg-7b7f-x", "Pulling", "Normal")?.kind, "pulling");
  assert.equal(about("web-kurun-bcdfg-7b7f-x", "FailedMount")?.kind, "other");
  assert.equal(about("web-kurun-bcdfgh", "FailedCreate"), undefined);
  assert.equal(about("web-kurun-bcdfg-7b7f-x", "BackOff"), undefined);
  assert.equal(about("web-kurun-bcdfg-7b7f-x", "Scheduled", "Normal"), undefined);
});

Deno.test("a refusal of the Pod is final unless something else may change it: quota that is in use, a webhook, a new namespace", () => {
  const isFinal = (message: string) =>
    eventWaitsFor({ type: "Warning", reason: "FailedCreate", message, involvedObject: { name: "web" } } as ClusterEvent, "web")?.final ??
      false;
  const quota = (requested: string, limited: string) =>
    `Error creating: pods "web-1" is forbidden: exceeded quota: q, requested: ${requested}, used: limits.cpu=1,pods=3, limited: ${limited}`;
  for (
    const message of [
      'Error creating: pods "web-1" is forbidden: [maximum memory usage per Container is 512Mi, but limit is 640Mi, maximum cpu usage per …]',
      'Error creating: pods "web-1" is forbidden: violates PodSecurity "restricted:latest": …',
      'Error creating: pods "web-1" is forbidden: no PriorityClass with name x was found',
      'Error creating: pods "web-1" is forbidden: failed quota: q: must specify limits.nvidia.com/gpu for: server',
      'Error creating: Pod "web-1" is invalid: spec.tolerations[0].key: Invalid value',
      'Error creating: admission webhook "policy.example.com" denied the request: no',
      quota("limits.cpu=2,pods=1", "limits.cpu=1500m,pods=10"),
      quota("pods=1", "pods=0"),
    ]
  ) assert.equal(isFinal(message), true, message);
  for (
    const message of [
      quota("limits.cpu=2,pods=1", "limits.cpu=2,pods=3"),
      'Error creating: Internal error occurred: failed calling webhook "pods.example.com": failed to call webhook: connection refused',
      'Error creating: pods "web-1" is forbidden: error looking up service account dev/default: serviceaccount "default" not found',
      "Error creating: Timeout: request did not complete within the allotted time",
    ]
  ) assert.equal(isFinal(message), false, message);
});

Deno.test("a Pod waits for an init container that cannot start, and not for one that succeeded", () => {
  const waiting = { state: { waiting: { reason: "PodInitializing" } } };
  const done = { state: { terminated: { exitCode: 0, reason: "Completed" } } };
  const failing = { image: "web:1", state: { waiting: { reason: "ErrImagePull", message: "no such image" } } };
  const pod = (init: typeof failing | typeof done) => ({
    metadata: { name: "p" },
    status: { initContainerStatuses: [init], containerStatuses: [waiting] },
  });
  assert.equal(podWaitsFor(pod(done)), undefined);
  assert.deepEqual(podWaitsFor(pod(failing)), { kind: "image", reason: "ErrImagePull", message: "no such image", image: "web:1" });
});
