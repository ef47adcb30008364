/**
 * Admission requests that are allowed while nobody can be asked (`--fallback=allow`). Pure: a body in, an answer out.
 *
 * @module
 */
import { JsonScanner } from "./json_scanner.ts";

/**
 * A larger review is not read. The API server takes objects of 3 MiB (its limit of a request's body), and a review of an update holds the
 * old object and the new.
 */
export const MAX_REVIEW_BYTES = 8 * 1024 * 1024;
/** The API server's are UUIDs, of 36; a caller's own must not fill the log. */
const MAX_UID_CHARACTERS = 64;
/** No key or value that is looked for is longer as JSON writes it, each character as `\u0000`. */
const MAX_TEXT_BYTES = 6 * MAX_UID_CHARACTERS;
/** Longer warnings are cut by some clients (Kubernetes, "Admission webhook response": keep them to 120 characters). */
const MAX_WARNING_CHARACTERS = 120;

const VERSIONS: readonly (string | undefined)[] = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];

/** A question of the API server's: may this be? */
export interface AdmissionRequest {
  /** The review's, which the answer's must be. */
  readonly apiVersion: string;
  readonly uid: string;
}

/**
 * Reads a request's body; of what comes twice the last counts, as for JSON.parse. No tree is made: anybody who reaches the Service can send
 * 8 MiB of `{},{},…`, and that would take all of the Pod's memory.
 * @returns nothing where it is no AdmissionReview with a request
 */
export function parseAdmissionReview(body: Uint8Array): AdmissionRequest | undefined {
  try {
    const { kind, apiVersion, uid } = readReview(body);
    if (kind !== "AdmissionReview" || !VERSIONS.includes(apiVersion)) return undefined;
    return uid && uid.length <= MAX_UID_CHARACTERS ? { apiVersion: apiVersion as string, uid } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** @throws SyntaxError where it is no JSON object */
function readReview(body: Uint8Array): { kind?: string | undefined; apiVersion?: string | undefined; uid?: string | undefined } {
  const json = new JsonScanner(body);
  const review: ReturnType<typeof readReview> = {};
  json.members(MAX_TEXT_BYTES, (key) => {
    if (key === "kind" || key === "apiVersion") review[key] = json.text(MAX_TEXT_BYTES);
    else if (key === "request") review.uid = readUid(json);
    else json.skip();
  });
  json.end();
  return review;
}

function readUid(json: JsonScanner): string | undefined {
  let uid: string | undefined;
  if (!json.isObject) json.skip();
  else {
    json.members(MAX_TEXT_BYTES, (key) => {
      if (key === "uid") uid = json.text(MAX_TEXT_BYTES);
      else json.skip();
    });
  }
  return uid;
}

/** The answer that lets an object through as it is, with a warning for whoever made the request. @returns JSON */
export function allowedReview({ apiVersion, uid }: AdmissionRequest, warning: string): string {
  const short = [...warning].slice(0, MAX_WARNING_CHARACTERS).join("");
  return JSON.stringify({ apiVersion, kind: "AdmissionReview", response: { uid, allowed: true, warnings: [short] } });
}
