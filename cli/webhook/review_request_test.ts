import assert from "node:assert/strict";
import { readAdmission, readConversion } from "./review_request.ts";

/** As Go's encoder writes it, with other values. */
function admission(request: Record<string, unknown>, dryRun = false): string {
  const group = { group: "", version: "v1" };
  return JSON.stringify({
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid: "705ab4f5",
      kind: { ...group, kind: "Pod" },
      resource: { ...group, resource: "pods" },
      subResource: undefined,
      requestKind: { ...group, kind: "Pod" },
      requestResource: { ...group, resource: "pods" },
      name: "web",
      namespace: "dev",
      operation: "CREATE",
      userInfo: { username: "alice", groups: ["a"], extra: { ',"object":{': ['"dryRun":true'] } },
      object: { kind: "Pod", apiVersion: "v1", metadata: { generateName: "x-", annotations: { a: '"dryRun":true,"userInfo":{' } } },
      oldObject: null,
      dryRun,
      options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1", fieldManager: '"dryRun":true' },
      ...request,
    },
  });
}

const subject = (text: string, start = text.length) => readAdmission(text.slice(0, start), text.slice(-2048))?.subject;

Deno.test("the start of an AdmissionReview says who asks what, the end whether it is a dry run", () => {
  assert.deepEqual(readAdmission(admission({}), admission({})), {
    apiVersion: "admission.k8s.io/v1",
    uid: "705ab4f5",
    operation: "CREATE",
    subject: "CREATE pods/web in dev by alice",
  });
  assert.equal(subject(admission({}, true)), "CREATE pods/web in dev by alice (dry run)");
  const long = admission({ object: { metadata: { name: "x".repeat(1e6) } } }, true);
  assert.equal(subject(long, 8_192), "CREATE pods/web in dev by alice (dry run)");
  assert.equal(subject(admission({ name: undefined })), "CREATE pods/x-* in dev by alice");
  assert.equal(
    subject(admission({
      operation: "UPDATE",
      resource: { group: "apps", version: "v1", resource: "deployments" },
      subResource: "scale",
      namespace: undefined,
      userInfo: { username: "system:serviceaccount:kube-system:x" },
    })),
    "UPDATE deployments.apps/web/scale by system:serviceaccount:kube-system:x",
  );
  assert.equal(subject(admission({ userInfo: {} })), "CREATE pods/web in dev");
});

Deno.test("a long request that is made to be searched for long is not", () => {
  const text = `${admission({ name: undefined, object: undefined }).replace(/"groups".*/, "")}${',"object":{"metadata":{'.repeat(100_000)}`;
  const since = performance.now();
  assert.equal(subject(text), "CREATE pods in dev by alice");
  assert.ok(performance.now() - since < 1_000);
});

Deno.test("what a request says is escaped and cut, and what is no review is left alone", () => {
  assert.equal(
    subject(admission({ name: "a\x1b[2J\u202e\n", userInfo: { username: 'a"b' } })),
    'CREATE pods/a\\x1b[2J\\u202e  in dev by a"b',
  );
  assert.ok((subject(admission({ name: "x".repeat(5_000) })) ?? "").length < 1_000);
  for (const text of ["", "{}", "[]", "x", '{"request":1}', admission({}).slice(0, 300), admission({ uid: 1 })]) {
    assert.equal(subject(text), undefined, text);
  }
});

Deno.test("a ConversionReview says how many objects become which version", () => {
  const text = (objects: unknown) =>
    JSON.stringify({
      kind: "ConversionReview",
      apiVersion: "apiextensions.k8s.io/v1",
      request: { uid: "u", desiredAPIVersion: "webapp.example.com/v2", objects },
    });
  assert.equal(readConversion(text([{}, {}, {}]), "guestbooks")?.subject, "convert 3 guestbooks to v2");
  assert.equal(readConversion(text([{}]), "guestbooks")?.subject, "convert 1 guestbook to v2");
  assert.equal(readConversion(text({})), undefined);
});
