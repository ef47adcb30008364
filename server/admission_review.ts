/**
 * Admission requests that are allowed while nobody can be asked (`--fallback=allow`). Pure: a body in, an answer out.
 *
 * @module
 */

/**
 * A larger review is not read. The API server takes objects of 3 MiB (its limit of a request's body), and a review of an update holds the
 * old object and the new.
 */
export const MAX_REVIEW_BYTES = 8 * 1024 * 1024;
/** Longer warnings are cut by some clients (Kubernetes, "Admission webhook response": keep them to 120 characters). */
const MAX_WARNING_CHARACTERS = 120;

const VERSIONS: readonly unknown[] = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];

/** A question of the API server's: may this be? */
export interface AdmissionRequest {
  /** The review's, which the answer's must be. */
  readonly apiVersion: string;
  readonly uid: string;
}

/** Reads a request's body. @returns nothing where it is no AdmissionReview with a request */
export function parseAdmissionReview(body: Uint8Array): AdmissionRequest | undefined {
  let review: unknown;
  try {
    review = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
  if (!isObject(review) || review.kind !== "AdmissionReview" || !VERSIONS.includes(review.apiVersion)) return undefined;
  const { request } = review;
  if (!isObject(request) || typeof request.uid !== "string" || request.uid === "") return undefined;
  return { apiVersion: review.apiVersion as string, uid: request.uid };
}

/** The answer that lets an object through as it is, with a warning for whoever made the request. @returns JSON */
export function allowedReview({ apiVersion, uid }: AdmissionRequest, warning: string): string {
  const short = [...warning].slice(0, MAX_WARNING_CHARACTERS).join("");
  return JSON.stringify({ apiVersion, kind: "AdmissionReview", response: { uid, allowed: true, warnings: [short] } });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
