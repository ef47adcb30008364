import assert from "node:assert/strict";
import { readFilter } from "./hook_filter.ts";

Deno.test("a filter is read back from its JSON, and anything else is not a filter", () => {
  for (const filter of [{ only: {} }, { only: { namespace: ["dev-*"], user: ["alice", "bob"] }, match: "true" }]) {
    assert.deepEqual(readFilter(JSON.stringify({ ...filter, more: 1 })), filter);
  }
  for (
    const text of [
      undefined,
      "",
      "null",
      "[]",
      "{",
      '{"only":null}',
      '{"only":{"who":["a"]}}',
      '{"only":{"user":"a"}}',
      '{"only":{"user":[1]}}',
    ]
  ) {
    assert.equal(readFilter(text), undefined, text);
  }
  assert.equal(readFilter('{"only":{},"match":1}'), undefined);
});
