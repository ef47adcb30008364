import assert from "node:assert/strict";
import { describeFilter } from "./describe_filter.ts";
import { parseFilter } from "./only_filter.ts";

Deno.test("a filter is described in the order of a sentence", () => {
  const only = ["user=alice", "namespace=dev-*", "namespace=test", "kind=Pod", "label=app=web", "label=tier", "name=web-*"];
  assert.equal(
    describeFilter(parseFilter(only, "object\n  != null")),
    "Pod named web-* with app=web, tier in dev-* or test by alice where object != null",
  );
  assert.equal(describeFilter(parseFilter([])), "");
});
