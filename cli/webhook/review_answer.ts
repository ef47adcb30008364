/**
 * Checks the answers to reviews by the rules of the API server (Kubernetes 1.34: k8s.io/apiserver, VerifyAdmissionResponse and the webhook
 * dispatchers; k8s.io/apiextensions-apiserver, webhookConverter). Pure.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";
import { isObject } from "../../k8s/api/exact_json.ts";
import { megabytes } from "../command/terminal_text.ts";
import type { Review } from "./review_request.ts";

/** What the API server makes of an answer. */
export interface Verdict {
  /** For people: `allowed, 2 patches`, `denied: no`, `converted`. */
  readonly result: string;
  /** Why the API server does not accept the answer: a sentence that names the field and the rule. */
  readonly problem?: string;
  /** The kind of the problem; the sentence can have other values for each answer. */
  readonly kind?: string;
}

/** What a program answered. */
export interface Answer {
  readonly status: number;
  /** The body; the first part of it if it is longer than `size`. */
  readonly body: Uint8Array;
  /** The bytes of the whole body. */
  readonly size: number;
}

/** An answer may have this many bytes when it is unpacked. */
const MAX_UNPACKED = 16 * 1024 * 1024;

/** A rule that is broken. */
class Broken extends Error {
  constructor(readonly kind: string, sentence: string) {
    super(sentence);
  }
}

/**
 * Checks an answer.
 * @param isMutating whether the webhook may change objects; undefined if webhooks of both kinds have its path
 */
export function checkAnswer(review: Review, answer: Answer, isMutating: boolean | undefined): Verdict {
  try {
    const { status, size } = answer;
    const body = unpacked(answer);
    if (status < 200 || status > 206) throw new Broken(`status ${status}`, `the HTTP status is ${status}, not 200${quoted(textOf(body))}`);
    if (size === 0) throw new Broken("empty", "the body is empty");
    if (size > answer.body.length) return { result: `answered with ${megabytes(size)}, too much for kurun to check` };
    const read = readBody(body);
    return review.conversion ? checkConversion(review, read, review.conversion) : checkAdmission(review, read, isMutating);
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    return { result: "not a valid answer", problem: error.message, kind: error.kind };
  }
}

/** The API server accepts gzip, and Deno.serve makes use of it. */
function unpacked({ body, size }: Answer): Uint8Array {
  if (body[0] !== 0x1f || body[1] !== 0x8b || size > body.length) return body;
  try {
    return gunzipSync(body, { maxOutputLength: MAX_UNPACKED });
  } catch (error) {
    throw new Broken("gzip", `the body is gzip and cannot be read: ${(error as Error).message}`);
  }
}

type Fields = Readonly<Record<string, unknown>>;

function readBody(body: Uint8Array): Fields {
  const text = textOf(body);
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Broken("json", `the body is not JSON${quoted(text)}`);
  }
  if (!isObject(value)) throw new Broken("json", `the body must be a JSON object${quoted(text)}`);
  return value;
}

function checkAdmission(review: Review, body: Fields, isMutating: boolean | undefined): Verdict {
  const response = field(body, "response", isObject, "an object");
  const isV1 = review.apiVersion === "admission.k8s.io/v1";
  checkKind(review, body, "AdmissionReview");
  const at = "response";
  const allowed = response && field(response, "allowed", isBoolean, "true or false", at);
  const uid = response && field(response, "uid", isText, "text", at);
  const status = response && field(response, "status", isObject, "an object", at);
  const warnings = response && field(response, "warnings", isTexts, "a list of texts", at);
  if (response) field(response, "auditAnnotations", (value) => isObject(value) && isTexts(Object.values(value)), "a map of texts", at);
  const patchType = response && field(response, "patchType", isText, "text", at);
  const patch = response && readPatch(response);
  for (const name of ["message", "reason", "status"]) if (status) field(status, name, isText, "text", "response.status");
  if (status) field(status, "code", (value) => Number.isInteger(value), "an integer", "response.status");

  if (!response) throw new Broken("absent", "the field response is absent");
  if (isV1) {
    checkUid(review, uid);
    checkKind(review, body, "AdmissionReview", true);
  }
  const hasPatch = patch !== undefined && patch.length > 0;
  if (isMutating && isV1) {
    if (hasPatch && patchType === undefined) {
      throw new Broken("no patchType", 'response.patchType is absent: a response with a patch needs "JSONPatch"');
    }
    if (!hasPatch && patchType !== undefined) {
      throw new Broken("no patch", "response.patchType is there, but no response.patch: leave out both");
    }
    if (patchType === "") throw new Broken("patchType", 'response.patchType is empty: it must be "JSONPatch"');
  }
  if (isMutating === false && isV1) {
    if (hasPatch) throw new Broken("validating", "response.patch must not be there: a validating webhook cannot change objects");
    if (patchType !== undefined) {
      throw new Broken("validating type", "response.patchType must not be there: a validating webhook has no patch");
    }
  }
  if (!allowed) {
    const { message, reason, code } = status ?? {};
    const why = message || reason ? `: ${firstLine(String(message || reason))}` : " without a response.status.message";
    // Kubernetes makes an error of it.
    return { result: `denied${why}${code && Number(code) < 400 ? ` (as status 400: response.status.code ${code} is no error)` : ""}` };
  }
  const patches = isMutating === false || !hasPatch ? 0 : checkPatch(patch, isV1 ? patchType : "JSONPatch", review.operation);
  return { result: `allowed${count(patches, "patch", "patches")}${count(warnings?.length ?? 0, "warning", "warnings")}` };
}

/** Says nothing of the patch's values, which may be those of a Secret. @returns how many operations it has */
function checkPatch(patch: Uint8Array, patchType: string | undefined, operation: string | undefined): number {
  const text = textOf(patch);
  let operations;
  try {
    operations = JSON.parse(text);
  } catch {
    throw new Broken("patch json", "response.patch, decoded from base64, is not JSON");
  }
  if (operations === null) return 0;
  if (!Array.isArray(operations) || !operations.every((one) => one === null || isObject(one))) {
    throw new Broken("patch list", "response.patch, decoded from base64, must be a JSON list of operations (RFC 6902)");
  }
  if (operations.length === 0) return 0;
  if (operation === "DELETE") throw new Broken("patch delete", "response.patch must not be there: a DELETE has no object to change");
  if (patchType !== undefined && patchType !== "JSONPatch") {
    throw new Broken("patchType", `response.patchType must be "JSONPatch", not ${JSON.stringify(patchType.slice(0, 40))}`);
  }
  for (const [index, one] of operations.entries()) {
    const { op, path } = one ?? {};
    if (!["add", "remove", "replace", "move", "copy", "test"].includes(op)) {
      throw new Broken(
        "patch op",
        `operation ${index} of response.patch has op ${JSON.stringify(op)?.slice(0, 40)}, which RFC 6902 does not have`,
      );
    }
    if (!isText(path)) throw new Broken("patch path", `operation ${index} of response.patch (${op}) has no path`);
  }
  return operations.length;
}

/** The bytes of the patch: base64, as Go's encoder writes bytes. */
function readPatch(response: Fields): Uint8Array | undefined {
  const { patch } = response;
  if (patch === undefined || patch === null) return undefined;
  // Go reads a list of numbers as bytes.
  if (Array.isArray(patch) && patch.every((byte) => byte === null || Number.isInteger(byte) && byte >= 0 && byte < 256)) {
    return Uint8Array.from(patch);
  }
  const text = isText(patch) ? patch.replace(/[\r\n]/g, "") : "*";
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) {
    throw new Broken("patch base64", `response.patch must be text: the JSON list of operations (RFC 6902) in base64`);
  }
  return Buffer.from(text, "base64");
}

function checkConversion(review: Review, body: Fields, { objects, apiVersion }: NonNullable<Review["conversion"]>): Verdict {
  const response = field(body, "response", isObject, "an object");
  const isV1 = review.apiVersion === "apiextensions.k8s.io/v1";
  checkKind(review, body, "ConversionReview");
  const uid = response && field(response, "uid", isText, "text", "response");
  const result = response && field(response, "result", isObject, "an object", "response");
  const converted = (response ? field(response, "convertedObjects", isList, "a list", "response") : undefined) ?? [];
  for (const name of ["status", "message"]) if (result) field(result, name, isText, "text", "response.result");
  if (isV1) checkKind(review, body, "ConversionReview", true);
  if (!response) throw new Broken("absent", "the field response is absent");
  if (isV1) checkUid(review, uid);
  if (result?.status !== "Success") {
    const why = result?.message ? `: ${firstLine(String(result.message))}` : "";
    throw new Broken("conversion", `response.result.status is ${JSON.stringify(result?.status ?? "")}, not "Success"${why}`);
  }
  if (converted.length !== objects.length) {
    throw new Broken("count", `response.convertedObjects has ${converted.length} objects, but ${objects.length} were to be converted`);
  }
  for (const [index, object] of converted.entries()) {
    checkConverted(`response.convertedObjects[${index}]`, object, objects[index], apiVersion);
  }
  return { result: "converted" };
}

function checkConverted(at: string, object: unknown, original: unknown, apiVersion: string): void {
  if (!isObject(object)) throw new Broken("converted object", `${at} must be an object`);
  const before = isObject(original) ? original : {};
  const metadata = isObject(object.metadata) ? object.metadata : undefined;
  const old = isObject(before.metadata) ? before.metadata : {};
  if (object.apiVersion !== apiVersion) {
    throw new Broken("converted version", `${at}.apiVersion must be ${apiVersion}, not ${JSON.stringify(object.apiVersion)}`);
  }
  if (object.kind !== before.kind) {
    throw new Broken("converted kind", `${at}.kind must stay ${before.kind}, not ${JSON.stringify(object.kind)}`);
  }
  if (!metadata) throw new Broken("converted metadata", `${at} has no metadata`);
  for (const name of ["name", "namespace", "uid"]) {
    if ((metadata[name] ?? "") === (old[name] ?? "")) continue;
    throw new Broken(
      `converted ${name}`,
      `${at}.metadata.${name} must stay ${JSON.stringify(old[name])}, not ${JSON.stringify(metadata[name])}`,
    );
  }
}

function checkUid(review: Review, uid = ""): void {
  if (uid === review.uid) return;
  throw new Broken("uid", `response.uid must be the request's uid ${review.uid}, not ${JSON.stringify(uid.slice(0, 80))}`);
}

/** Only a body of the request's kind and version is decoded. @param strict whether both must be there */
function checkKind(review: Review, { apiVersion, kind }: Fields, expected: string, strict = false): void {
  const differs = (value: unknown, wanted: string) =>
    value === wanted ? false : strict || value !== "" && value !== undefined && value !== null;
  if (!differs(kind, expected) && !differs(apiVersion, review.apiVersion)) return;
  const got = [apiVersion, kind].map((value) => JSON.stringify(value ?? "").slice(0, 80)).join(" and ");
  throw new Broken("gvk", `apiVersion and kind must be ${review.apiVersion} and ${expected}, as in the request, not ${got}`);
}

/** A field of the right type; undefined if it is null or absent. */
function field<T>(of: Fields, name: string, is: (value: unknown) => value is T, type: string, at?: string): T | undefined;
function field(of: Fields, name: string, is: (value: unknown) => boolean, type: string, at?: string): unknown;
function field(of: Fields, name: string, is: (value: unknown) => boolean, type: string, at = ""): unknown {
  const value = of[name];
  if (value === undefined || value === null) return undefined;
  if (is(value)) return value;
  const path = at === "" ? name : `${at}.${name}`;
  throw new Broken(`type ${path}`, `${path} must be ${type}${quoted(JSON.stringify(value))}`);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => item === null || isText(item));
}

function count(number: number, one: string, many: string): string {
  return number === 0 ? "" : `, ${number} ${number === 1 ? one : many}`;
}

/** Go replaces what is not UTF-8, too, and keeps a byte order mark. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

const MAX_QUOTED = 120;

function quoted(text: string): string {
  const line = firstLine(text);
  return line === "" ? "" : `: ${line}`;
}

function firstLine(text: string): string {
  const [line = ""] = text.trim().split(/[\r\n]/, 1);
  return line.length > MAX_QUOTED ? `${line.slice(0, MAX_QUOTED)}…` : line;
}
