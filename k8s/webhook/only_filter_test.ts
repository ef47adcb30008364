import assert from "node:assert/strict";
import { filterExpression } from "./filter_expression.ts";
import { HookFilterError, parseFilter } from "./only_filter.ts";

/** The message of the error that a filter is refused with. */
function refusal(only: string[], match?: string): string {
  try {
    parseFilter(only, match);
  } catch (error) {
    assert.ok(error instanceof HookFilterError, String(error));
    return error.message;
  }
  throw new Error(`${only} ${match} was accepted`);
}

Deno.test("--only values of one key are alternatives, and a value given twice counts once", () => {
  const filter = parseFilter(["namespace=dev-*", "kind=Pod", "namespace=test", "namespace=test"], "true");
  assert.deepEqual(filter, { only: { namespace: ["dev-*", "test"], kind: ["Pod"] }, match: "true" });
  assert.deepEqual(parseFilter([]), { only: {} });
});

Deno.test("--only values that nothing can match are refused with what to write instead", () => {
  const refused: [string, RegExp][] = [
    ["owner=alice", /^--only owner=alice: expected KEY=VALUE, where KEY is namespace, name, kind, label or user$/],
    ["dev", /expected KEY=VALUE/],
    ["name", /write name=VALUE/],
    ["user=", /the value is empty/],
    ["namespace=Dev-*", /no namespace can have that name/],
    ["namespace=dev,test", /give --only once for each value/],
    ["namespace=dev-?", /\* is the only wildcard/],
    ["namespace=dev-", /no namespace/],
    [`namespace=${"a".repeat(64)}*`, /63 characters/],
    ["name=a/b", /no object can have that name/],
    [`name=${"a".repeat(254)}`, /253 characters/],
    ["kind=pod", /expected a kind \(Pod\) or a resource in the plural \(pods\)/],
    ["kind=svc", /in the plural/],
    ["kind=Pod/exec", /expected a kind/],
    ["kind=apps\/v1\/Deployment", /expected a kind/],
    ["kind=Deployment.v1.apps", /write Deployment\.apps$/],
    ["kind=pods.core/exec", /write pods\/exec$/],
    ["label==x", /"" is not a label's key/],
    ["label=a/b/c=x", /"a\/b\/c" is not a label's key/],
    ["label=app==x", /no label can have the value "=x"/],
    ["label=app=a b", /no label can have/],
    ["user=\ud800", /not valid Unicode/],
  ];
  for (const [text, message] of refused) assert.match(refusal([text]), message, text);
  for (
    const text of [
      "namespace=*-a*",
      "name=system:node",
      "kind=sheep.example.com",
      "kind=pods/exec",
      "label=app=",
      "label=x.io/a=*",
      "user=a,b",
    ]
  ) {
    parseFilter([text]);
  }
});

Deno.test("a --match that would leave its parentheses is refused, and brackets in strings and comments do not count", () => {
  assert.match(refusal([], "true) || (true"), /^--match true\) \|\| \(true: "\)" closes nothing$/);
  for (const match of [" ", "a[0)", "(true", "'x", "'a\\'", "r'\\') || (r'", "a // )\n)", "'''a' + ')", "// \u2028 (\n) || (true"]) {
    refusal([], match);
  }
  for (const match of ["a == ')'", "r'\\' == ')'", '"\\")"', "'''a'b)\n'''", "{'a': [1]}[b(')')]", "a // it's )", "b'(' == br\")\""]) {
    assert.equal(filterExpression(parseFilter([], match)), match.includes("//") ? `(${match}\n)` : `(${match})`);
  }
});

Deno.test("a filter's expression is short, and its strings are escaped", () => {
  assert.equal(filterExpression(parseFilter([])), "true");
  assert.equal(
    filterExpression(parseFilter(["kind=Pod", "kind=deployments.apps/scale", "user=o'neil\\\n*"], "object != null")),
    "(request.kind.kind == 'Pod' || request.resource.resource == 'deployments' && request.resource.group == 'apps' && " +
      "has(request.subResource) && request.subResource == 'scale') && " +
      "has(request.userInfo.username) && request.userInfo.username.startsWith('o\\'neil\\\\\\n') && (object != null)",
  );
  const user = (...globs: string[]) =>
    filterExpression(parseFilter(globs.map((glob) => `user=${glob}`))).replaceAll("request.userInfo.username", "u");
  assert.equal(user("a", "b", "*"), "has(u) && (u in ['a', 'b'] || u != '')");
  assert.equal(user("*.x"), "has(u) && u.endsWith('.x')");
  assert.equal(user("**a*"), "has(u) && u.contains('a')");
  assert.equal(user("a*(b)"), "has(u) && u.matches('(?s)^a.*\\\\(b\\\\)$')");
});
