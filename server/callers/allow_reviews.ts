import type { RequestHead } from "../../tunnel/http1/head.ts";
import { SessionEndedError } from "../../tunnel/mod.ts";
import { allowedReview, MAX_REVIEW_BYTES, parseAdmissionReview } from "./admission_review.ts";
import { KeptBody, type Room } from "./kept_body.ts";
import type { LiveClient } from "../control/live_client.ts";

/** Bodies of all callers that are kept at once: the Pod has 256 MiB. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;

/** Answers admission requests that the program behind the session cannot be asked about: allowed, with a warning. */
export class AllowReviews {
  readonly #live: LiveClient;
  readonly #date: () => Date;
  readonly #log: (line: string) => void;
  readonly #room: Room = { left: MAX_KEPT_BYTES };

  /** @param date the time of day @param log takes a line for each request that anybody sends */
  constructor(live: LiveClient, date: () => Date, log: (line: string) => void) {
    this.#live = live;
    this.#date = date;
    this.#log = log;
  }

  /**
   * Keeps the body of what may be an AdmissionReview: a POST of JSON whose length is announced, as the API server's are.
   * @returns nothing where the body is not to be kept
   */
  keep({ method, isJson, length = 0 }: RequestHead): KeptBody | undefined {
    return method === "POST" && isJson && length > 0 && length <= MAX_REVIEW_BYTES ? new KeptBody(length, this.#room) : undefined;
  }

  /** The answer to a body that nobody can be asked about. @returns JSON, or nothing where it is no AdmissionReview */
  answer(body: Uint8Array, cause: Error): string | undefined {
    const request = parseAdmissionReview(body);
    if (!request) return undefined;
    const warning = `kurun allowed this unasked: ${this.#why(cause)}`;
    this.#log(`admission request ${JSON.stringify(request.uid)}: ${warning}`);
    return allowedReview(request, warning);
  }

  #why(cause: Error): string {
    const last = this.#live.last;
    const who = last && `${last.hello.who} on ${last.hello.from}`;
    if (cause instanceof SessionEndedError) return `the connection to ${who ?? "the program"} was lost before it answered`;
    if (!last) return "nobody has connected to kurun's Pod yet";
    const since = new Date(this.#date().getTime() - last.silentMs).toISOString().replace(/\.\d+/, "");
    return `nobody connected since ${since}, last ${who}`;
  }
}
