import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { generateAnswers, type GeneratedAnswer, recordedVerdicts } from "../../tests/webhook_answers.ts";
import { checkAnswer, type Verdict } from "./review_answer.ts";
import type { Review } from "./review_request.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** kurun's verdict on a generated answer. */
function check({ conversion, uid, version, mutating, operation, objects, status, body }: GeneratedAnswer): Verdict {
  const review: Review = conversion
    ? { apiVersion: `apiextensions.k8s.io/${version}`, uid, subject: "", conversion: { objects, apiVersion: "x.io/v2" } }
    : { apiVersion: `admission.k8s.io/${version}`, uid, subject: "", operation };
  const text = bytes(body.replaceAll("%UID%", uid));
  return checkAnswer(review, { status, body: text, size: text.length }, mutating);
}

/** How the API server names each kind of problem. */
const SAYS: Readonly<Record<string, RegExp>> = {
  absent: /response was absent|no response provided/,
  uid: /expected response\.uid=/,
  gvk: /expected webhook response of/,
  json: /response was absent|expected webhook response of|no response provided/,
  empty: /0-length response/,
  "no patchType": /response\.patch but not response\.patchType/,
  "no patch": /response\.patchType but not response\.patch/,
  patchType: /invalid response\.patchType|unsupported patch type/,
  validating: /validating webhook may not return response\.patch/,
  "validating type": /validating webhook may not return response\.patchType/,
  "patch json": /undecodable patch/,
  "patch list": /undecodable patch/,
  "patch op": /does not apply: Unexpected kind/,
  "patch path": /does not apply/,
  "patch base64": /./,
  "patch delete": /attempted to modify the object/,
  count: /returned \d+ objects, expected \d+/,
  conversion: /failed: (?:no$|response\.result\.status was)/,
  "converted version": /invalid converted object/,
  "converted kind": /invalid converted object/,
  "converted metadata": /invalid converted object/,
  "converted name": /invalid converted object/,
  "converted uid": /invalid converted object/,
};
/** Whatever else is wrong, the API server first decodes an answer. */
const NOT_DECODED = /cannot unmarshal|illegal base64|unknown conversion|is registered for version|parse error/;

Deno.test("answers are judged as the API server judges them, and problems are named as it names them", async () => {
  const answers = generateAnswers();
  const verdicts = await recordedVerdicts();
  const kinds = new Map<string, number>();
  for (const [index, { error, allowed, patches }] of verdicts.entries()) {
    const answer = answers[index] as GeneratedAnswer;
    const ours = check(answer);
    const text =
      `${answer.status} ${answer.version} ${answer.mutating} ${answer.operation} ${answer.body}\n  API server: ${error}\n  kurun: ${ours.problem}`;
    assert.equal(ours.problem !== undefined, error !== undefined, text);
    kinds.set(ours.kind ?? "", (kinds.get(ours.kind ?? "") ?? 0) + 1);
    const says = /^(?:type |status )/.test(ours.kind ?? "") ? /./ : SAYS[ours.kind ?? ""];
    if (error !== undefined) assert.ok(says?.test(error) || NOT_DECODED.test(error), `${ours.kind}: ${text}`);
    if (error === undefined && !answer.conversion) {
      const expected = allowed ? `allowed${patches === 0 ? "" : patches === 1 ? ", 1 patch" : `, ${patches} patches`}` : "denied";
      assert.ok(ours.result.startsWith(expected), `${ours.result}: ${text}`);
    }
  }
  // The generator reaches each rule.
  for (const kind of Object.keys(SAYS)) assert.ok((kinds.get(kind) ?? 0) >= 1, `${kind}: ${kinds.get(kind)}`);
});

Deno.test("a problem is a sentence with the field and the rule", () => {
  const said = (body: unknown, status = 200) => {
    const text = bytes(typeof body === "string" ? body : JSON.stringify(body));
    const review = { apiVersion: "admission.k8s.io/v1", uid: "u", subject: "" };
    return checkAnswer(review, { status, body: text, size: text.length }, true).problem;
  };
  const review = (response: unknown) => ({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response });
  assert.equal(said("404 page not found\n", 404), "the HTTP status is 404, not 200: 404 page not found");
  assert.equal(said("<html>"), "the body is not JSON: <html>");
  assert.equal(said(review({ uid: "v" })), `response.uid must be the request's uid u, not "v"`);
  assert.equal(
    said(review({ uid: "u", allowed: true, patch: btoa("[]") })),
    'response.patchType is absent: a response with a patch needs "JSONPatch"',
  );
  assert.equal(
    said(review({ uid: "u", allowed: true, patch: [{ op: "add" }] })),
    "response.patch must be text: the JSON list of operations (RFC 6902) in base64",
  );
});

Deno.test("a denial says why, and that the API server makes an error of a code that is none", () => {
  const denied = (status?: unknown) => {
    const body = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: { uid: "u", allowed: false, status } };
    const text = bytes(JSON.stringify(body));
    return checkAnswer({ apiVersion: "admission.k8s.io/v1", uid: "u", subject: "" }, { status: 200, body: text, size: text.length }, false)
      .result;
  };
  assert.equal(denied(), "denied without a response.status.message");
  assert.equal(denied({ message: "no tag\nsee docs", code: 403 }), "denied: no tag");
  assert.equal(denied({ reason: "Invalid", code: 200 }), "denied: Invalid (as status 400: response.status.code 200 is no error)");
});

Deno.test("an answer may be packed by gzip, and one that is too long is not checked", () => {
  const review = { apiVersion: "admission.k8s.io/v1", uid: "u", subject: "" };
  const allowed = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: { uid: "u", allowed: true } };
  const packed = (text: string) => new Uint8Array(gzipSync(text));
  const check = (body: Uint8Array) => checkAnswer(review, { status: 200, body, size: body.length }, true);
  assert.deepEqual(check(packed(JSON.stringify(allowed))), { result: "allowed" });
  assert.match(check(packed(JSON.stringify(allowed)).subarray(0, 20)).problem ?? "", /^the body is gzip and cannot be read: /);
  assert.match(check(packed(" ".repeat(20 * 1024 * 1024))).problem ?? "", /^the body is gzip and cannot be read: /);
  assert.deepEqual(checkAnswer(review, { status: 200, body: bytes("{"), size: 4e6 }, true), {
    result: "answered with 4.0 MB, too much for kurun to check",
  });
});
