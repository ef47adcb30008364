import assert from "node:assert/strict";
import { ConnectionError } from "../../k8s/api/connection_error.ts";
import type { PlannedObject } from "../../k8s/manifests/apply_plan.ts";
import { describeOutcome } from "./describe_apply.ts";

Deno.test("what was on its way when the connection broke is neither applied nor not tried", () => {
  const object = (label: string) => ({ label }) as PlannedObject;
  const text = describeOutcome({
    applied: new Map(),
    failed: [],
    unsure: object("configmap/a"),
    untried: [object("configmap/b")],
    ended: new ConnectionError("aborted", { address: "", detail: "" }),
  }, () => assert.fail("an interruption has its own words"));
  assert.equal(
    text,
    "interrupted\n  nothing was applied\n  unknown, because no answer came: configmap/a\n  not tried: configmap/b",
  );
});
