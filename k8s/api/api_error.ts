/**
 * Answers of the API server that say no.
 *
 * @module
 */

import type { StatusDetails } from "./kubernetes_objects.ts";

/** The API server, or what it passed the request on to, answered with an error. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** The HTTP status. */
  readonly status: number;
  /** The Status' reason, such as `NotFound`; empty where the answer was no Status. */
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  /** What was asked: method and path without the query. Empty where it is not known. */
  readonly request: string;
  /** When it was answered, by the API server's clock; undefined where it did not say. */
  readonly date: Date | undefined;

  /** The message is the Status' own, made for people. */
  constructor(
    message: string,
    options: { status: number; reason?: string; details?: StatusDetails; request?: string; date?: Date | undefined },
  ) {
    super(message);
    this.status = options.status;
    this.reason = options.reason ?? "";
    this.details = options.details;
    this.request = options.request ?? "";
    this.date = options.date;
  }
}

/** Makes the error of an answer: a `v1.Status` as JSON, or whatever text a proxy in the way has written. */
export function statusError(status: number, body: string, request = "", date?: Date): ApiError {
  try {
    const answer = JSON.parse(body);
    if (answer?.kind === "Status") {
      return new ApiError(String(answer.message || answer.reason || `status ${status}`), {
        status,
        request,
        date,
        ...(typeof answer.reason === "string" ? { reason: answer.reason } : {}),
        ...(typeof answer.details === "object" && answer.details !== null ? { details: answer.details } : {}),
      });
    }
  } catch { /* not JSON: the text is all there is */ }
  const text = body.trim().split("\n", 1)[0]!.slice(0, 300);
  return new ApiError(text === "" ? `the answer was ${status} without a reason` : text, {
    status,
    request,
    date,
  });
}
