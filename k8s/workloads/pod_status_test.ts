import assert from "node:assert/strict";
import { eventWaitsFor, podWaitsFor } from "./pod_status.ts";

const metadata = { name: "web-kurun-bcdfg-1-2" };

Deno.test("a Pod that just starts waits for nothing that is to be said", () => {
  const containerStatuses = [{ state: { waiting: { reason: "ContainerCreating" } } }];
  assert.equal(podWaitsFor({ metadata, status: { containerStatuses } }), undefined);
  assert.equal(podWaitsFor({ metadata }), undefined);
});

Deno.test("a Pod that no node takes waits for scheduling, in the scheduler's words", () => {
  const conditions = [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/1 nodes are available" }];
  assert.deepEqual(podWaitsFor({ metadata, status: { conditions } }), {
    kind: "scheduling",
    reason: "Unschedulable",
    message: "0/1 nodes are available",
  });
});

Deno.test("a server that ends again and again says its last line", () => {
  const terminated = { exitCode: 1, reason: "Error", message: "starting\nthe key is missing\n" };
  const containerStatuses = [{ state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 10s" } }, lastState: { terminated } }];
  assert.deepEqual(podWaitsFor({ metadata, status: { containerStatuses } }), {
    kind: "crash",
    reason: "CrashLoopBackOff",
    message: "it ended with exit code 1, and said last: the key is missing",
  });
});

Deno.test("an image that cannot be had is told as such", () => {
  const containerStatuses = [{ state: { waiting: { reason: "ErrImagePull", message: "not found\n" } } }];
  assert.deepEqual(podWaitsFor({ metadata, status: { containerStatuses } }), {
    kind: "image",
    reason: "ErrImagePull",
    message: "not found",
  });
});

Deno.test("events of what the Deployment makes are told, others' and those that the Pod's status has are not", () => {
  const about = (name: string, reason: string, type = "Warning") =>
    eventWaitsFor({ type, reason, message: "(combined from similar events): why", involvedObject: { name } }, "web-kurun-bcdfg");
  assert.deepEqual(about("web-kurun-bcdfg-7b7f", "FailedCreate"), { kind: "admission", reason: "FailedCreate", message: "why" });
  assert.deepEqual(about("web-kurun-bcdfg-7b7f-x", "Pulling", "Normal")?.kind, "pulling");
  assert.equal(about("web-kurun-bcdfg-7b7f-x", "FailedMount")?.kind, "other");
  assert.equal(about("web-kurun-bcdfgh", "FailedCreate"), undefined);
  assert.equal(about("web-kurun-bcdfg-7b7f-x", "BackOff"), undefined);
  assert.equal(about("web-kurun-bcdfg-7b7f-x", "Scheduled", "Normal"), undefined);
});

Deno.test("an init container that cannot start is what the Pod waits for, and one that is done is not", () => {
  const waiting = { state: { waiting: { reason: "PodInitializing" } } };
  const done = { state: { terminated: { exitCode: 0, reason: "Completed" } } };
  const failing = { state: { waiting: { reason: "ErrImagePull", message: "no such image" } } };
  const pod = (init: typeof failing | typeof done) => ({
    metadata: { name: "p" },
    status: { initContainerStatuses: [init], containerStatuses: [waiting] },
  });
  assert.equal(podWaitsFor(pod(done)), undefined);
  assert.deepEqual(podWaitsFor(pod(failing)), { kind: "image", reason: "ErrImagePull", message: "no such image" });
});
