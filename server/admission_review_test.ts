import assert from "node:assert/strict";
import { allowedReview, parseAdmissionReview } from "./admission_review.ts";

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const review = { kind: "AdmissionReview", apiVersion: "admission.k8s.io/v1", request: { uid: "u-1" } };

Deno.test("an AdmissionReview of either version is known by its kind, and its uid is read wherever it stands", () => {
  assert.deepEqual(parseAdmissionReview(bytes(review)), { apiVersion: "admission.k8s.io/v1", uid: "u-1" });
  const beta = {
    request: { object: { uid: "another", request: { uid: "no" } }, uid: "u-1" },
    kind: review.kind,
    apiVersion: "admission.k8s.io/v1beta1",
  };
  assert.deepEqual(parseAdmissionReview(bytes(beta)), { apiVersion: "admission.k8s.io/v1beta1", uid: "u-1" });
});

for (
  const [name, body] of Object.entries({
    "nothing": "",
    "half of one": JSON.stringify(review).slice(0, -1),
    "a list": [review],
    "null": "null",
    "another kind": { ...review, kind: "ConversionReview" },
    "another version": { ...review, apiVersion: "admission.k8s.io/v2" },
    "a list as version": { ...review, apiVersion: ["admission.k8s.io/v1"] },
    "an answer": { kind: review.kind, apiVersion: review.apiVersion, response: { uid: "u-1" } },
    "no uid": { ...review, request: {} },
    "an empty uid": { ...review, request: { uid: "" } },
    "null as request": { ...review, request: null },
  })
) {
  Deno.test(`no AdmissionReview: ${name}`, () => assert.equal(parseAdmissionReview(bytes(body)), undefined));
}

Deno.test("bytes that are no UTF-8 are no AdmissionReview", () => {
  const text = bytes(review);
  text[text.length - 4] = 0xff;
  assert.equal(parseAdmissionReview(text), undefined);
});

Deno.test("the answer allows, changes nothing, and warns in 120 characters at most, none of them cut in half", () => {
  const answer = JSON.parse(allowedReview({ apiVersion: "admission.k8s.io/v1", uid: 'u"1' }, "😀".repeat(200)));
  assert.deepEqual(answer, {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: { uid: 'u"1', allowed: true, warnings: ["😀".repeat(120)] },
  });
});
