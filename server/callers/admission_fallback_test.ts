import assert from "node:assert/strict";
import { allowedReview, parseReviewStart } from "./admission_fallback.ts";

const UID = "705ab4f5-6393-11e8-b7cc-42010a800002";
const bytes = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const review = { kind: "AdmissionReview", apiVersion: "admission.k8s.io/v1", request: { uid: UID, kind: { group: "" } } };

Deno.test("an AdmissionReview of either version is known by its first bytes, as Go's encoder writes them", () => {
  for (const apiVersion of ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"]) {
    assert.deepEqual(parseReviewStart(bytes({ ...review, apiVersion })), { apiVersion, uid: UID });
    assert.deepEqual(parseReviewStart(bytes(JSON.stringify({ ...review, apiVersion }, null, 2))), { apiVersion, uid: UID });
  }
  // Whatever the size of its objects, and wherever the body is cut behind its start.
  const large = bytes({ ...review, request: { uid: UID, object: "x".repeat(5_000_000) } });
  assert.deepEqual(parseReviewStart(large.subarray(0, 512)), { apiVersion: review.apiVersion, uid: UID });
});

for (
  const [name, body] of Object.entries({
    "nothing": "",
    "half of its start": JSON.stringify(review).slice(0, 80),
    "a list": [review],
    "null": "null",
    "another kind": { ...review, kind: "ConversionReview" },
    "another version": { ...review, apiVersion: "admission.k8s.io/v2" },
    "a version that only begins so": { ...review, apiVersion: "admission.k8s.io/v1beta12" },
    "a list as version": { ...review, apiVersion: ["admission.k8s.io/v1"] },
    "an answer": { kind: review.kind, apiVersion: review.apiVersion, response: { uid: UID } },
    "no uid": { ...review, request: {} },
    "an empty uid": { ...review, request: { uid: "" } },
    "a number as uid": { ...review, request: { uid: 7 } },
    "null as request": { ...review, request: null },
    "a uid longer than any API server's": { ...review, request: { uid: "u".repeat(65) } },
    "a uid that could write into the log": { ...review, request: { uid: "u\n2026 forged" } },
    "a uid with quotes": { ...review, request: { uid: 'u"1' } },
    "a review within another object": { spec: review },
    "a review behind 512 bytes": `${" ".repeat(512)}${JSON.stringify(review)}`,
  })
) {
  Deno.test(`not an AdmissionReview: ${name}`, () => assert.equal(parseReviewStart(bytes(body)), undefined));
}

Deno.test("the answer allows, changes nothing, and warns in 120 characters at most, none of them cut in half", () => {
  const answer = JSON.parse(allowedReview({ apiVersion: "admission.k8s.io/v1", uid: UID }, "😀".repeat(200)));
  assert.deepEqual(answer, {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: { uid: UID, allowed: true, warnings: ["😀".repeat(120)] },
  });
});
