import type { RequestHead } from "../../tunnel/http1/head.ts";
import { SessionEndedError } from "../../tunnel/mod.ts";
import type { LiveClient } from "../control/live_client.ts";

/** What identifies a review stands within this much of its body. */
export const REVIEW_START_BYTES = 512;
/**
 * How the API server begins every review: Go's encoder writes fields in the order of their struct, and these come first
 * (k8s.io/api/admission/v1, AdmissionReview and AdmissionRequest). Its uids are UUIDs of 36 characters; a caller's own must not fill the
 * log.
 */
const REVIEW_START =
  /^\s*\{\s*"kind"\s*:\s*"AdmissionReview"\s*,\s*"apiVersion"\s*:\s*"(admission\.k8s\.io\/v1(?:beta1)?)"\s*,\s*"request"\s*:\s*\{\s*"uid"\s*:\s*"([\w.-]{1,64})"/;
/** Some clients cut longer warnings (Kubernetes, "Admission webhook response": keep them to 120 characters). */
const MAX_WARNING_CHARACTERS = 120;

/** A question from the API server: may this object be created, changed or deleted? */
export interface AdmissionRequest {
  /** The review's version, which the answer must repeat. */
  readonly apiVersion: string;
  readonly uid: string;
}

/** Reads the start of a request's body. @returns undefined where it does not begin as the API server begins an AdmissionReview */
export function parseReviewStart(body: Uint8Array): AdmissionRequest | undefined {
  const match = REVIEW_START.exec(new TextDecoder().decode(body.subarray(0, REVIEW_START_BYTES)));
  return match ? { apiVersion: match[1] as string, uid: match[2] as string } : undefined;
}

/** The answer that lets an object through unchanged, with a warning for whoever made the request. @returns JSON */
export function allowedReview({ apiVersion, uid }: AdmissionRequest, warning: string): string {
  const short = [...warning].slice(0, MAX_WARNING_CHARACTERS).join("");
  return JSON.stringify({ apiVersion, kind: "AdmissionReview", response: { uid, allowed: true, warnings: [short] } });
}

/** Allows admission requests, with a warning, while the program behind the session cannot be asked (`--fallback allow`). */
export class AdmissionFallback {
  readonly #live: LiveClient;
  readonly #log: (line: string) => void;

  /** @param log takes a line for each request that anybody sends */
  constructor(live: LiveClient, log: (line: string) => void) {
    this.#live = live;
    this.#log = log;
  }

  /** Whether a request may be an AdmissionReview, so that the start of its body is needed. */
  mayAnswer({ method, isJson }: RequestHead): boolean {
    return method === "POST" && isJson;
  }

  /** The answer to a request whose body begins like this. @returns JSON, or undefined where it is not an AdmissionReview */
  answer(bodyStart: Uint8Array, cause: Error): string | undefined {
    const request = parseReviewStart(bodyStart);
    if (!request) return undefined;
    const warning = this.#warning(cause);
    this.#log(`admission request ${JSON.stringify(request.uid)}: ${warning}`);
    return allowedReview(request, warning);
  }

  #warning(cause: Error): string {
    const last = this.#live.last;
    const who = last && `${last.hello.who} on ${last.hello.from}`;
    // The webhook may have been called already: only its answer is missing.
    if (cause instanceof SessionEndedError) {
      return `kurun allowed this without the webhook's answer: the connection to ${who ?? "the program"} was lost`;
    }
    if (!last) return "kurun allowed this without calling the webhook: nobody has connected to kurun's Pod yet";
    const since = new Date(Date.now() - last.silentMs).toISOString().replace(/\.\d+/, "");
    return `kurun allowed this without calling the webhook: nobody connected since ${since}, last ${who}`;
  }
}
