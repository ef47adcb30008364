import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { type Purpose, PURPOSES } from "../../k8s/session/role_rules.ts";
import { neededRights } from "../../k8s/session/session_rights.ts";
import { type RoleOptions, roleText } from "./role_text.ts";

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

function objects(options: Partial<RoleOptions> & { purposes: readonly Purpose[] }, change = (text: string) => text) {
  const documents = parseAllDocuments(change(roleText({ services: ["web"], ...options })));
  for (const { errors } of documents) assert.deepEqual(errors, []);
  return documents.map((document) => document.toJS());
}

Deno.test("the Role of each purpose grants exactly the rights that its command checks, and more only to diagnose problems", () => {
  for (const purpose of PURPOSES) {
    const withoutMore = (text: string) => text.replaceAll(/ {2}# The rules below are optional[^]*?(?=---)/g, "");
    const rules: Rule[] = objects({ purposes: [purpose] }, withoutMore).flatMap((object) => object?.rules ?? []);
    const granted = rules.flatMap(({ apiGroups, resources, resourceNames = [""], verbs }) =>
      resources.flatMap((resource) => resourceNames.flatMap((name) => verbs.map((verb) => [verb, apiGroups[0], resource, name].join(" "))))
    );
    const service = purpose === "port-forward" || purpose === "webhook" ? { service: "web" } : {};
    const needed = neededRights({ purpose, namespace: "shop", server: "// server", ...service });
    const texts = needed.map(({ verb, group = "", resource, subresource, name = "" }) =>
      [verb, group, subresource ? `${resource}/${subresource}` : resource, name].join(" ")
    );
    assert.deepEqual(granted.sort(), texts.sort());
  }
});

Deno.test("the Role is bound to the user in the namespace, under the user's own name, whatever that is", () => {
  for (const user of ["jane@example.com", 'a"b: #c/d', "no"]) {
    const [role, binding, clusterRole, clusterBinding] = objects({ purposes: ["webhook"], namespace: "123", user });
    assert.deepEqual([role.metadata, clusterRole.metadata], [{ name: "kurun-webhook", namespace: "123" }, { name: "kurun-webhook" }]);
    for (const { subjects } of [binding, clusterBinding]) {
      assert.deepEqual(subjects, [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }]);
    }
    assert.equal(binding.metadata.name, `kurun-webhook-${user.replace("/", "-")}`);
  }
  const [, binding] = objects({ purposes: ["run"], user: "system:serviceaccount:ci:builder" });
  assert.deepEqual(binding.subjects, [{ kind: "ServiceAccount", name: "builder", namespace: "ci" }]);
});

Deno.test("rules that are comments are valid YAML too, once they are none", () => {
  const rules: Rule[] = objects(
    { purposes: ["port-forward"] },
    (text) => text.replaceAll(/^ {2}# (- apiGroups| {2}(resource|verbs))/gm, "  $1"),
  )[0].rules;
  const secrets = rules.find(({ resources, verbs }) => resources[0] === "secrets" && verbs[0] === "get");
  assert.deepEqual(secrets, { apiGroups: [""], resources: ["secrets"], verbs: ["get"] });
});
