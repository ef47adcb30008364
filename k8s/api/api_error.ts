/**
 * Refusals of the API server.
 *
 * @module
 */

import type { StatusDetails } from "./kubernetes_objects.ts";

/** The API server, or a server behind it, answered with an error. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** The HTTP status. */
  readonly status: number;
  /** The Status' reason, such as `NotFound`; empty if the answer is not a Status. */
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  /** The request: method and path without the query. Empty if not known. */
  readonly request: string;
  /** When it was answered, by the API server's clock; undefined if it did not say. */
  readonly date: Date | undefined;
  /**
   * Whether the request was sent twice, since the connection of the first one broke before the answer. The first one may have been carried
   * out, and be the reason for this refusal: a DELETE is then answered 404, a PATCH of a certain version 409.
   */
  readonly repeated: boolean;
  /** A likely reason that this side knows, such as an expired certificate. */
  hint: string | undefined;

  constructor(
    message: string,
    options: {
      status: number;
      reason?: string;
      details?: StatusDetails;
      request?: string;
      date?: Date | undefined;
      repeated?: boolean;
    },
  ) {
    super(message);
    this.status = options.status;
    this.reason = options.reason ?? "";
    this.details = options.details;
    this.request = options.request ?? "";
    this.date = options.date;
    this.repeated = options.repeated ?? false;
  }
}

/** The error of an answer: a `v1.Status` as JSON, or the text of a proxy on the way. */
export function statusError(
  status: number,
  body: string,
  about: { request?: string; date?: Date | undefined; repeated?: boolean } = {},
): ApiError {
  try {
    const answer = JSON.parse(body);
    if (answer?.kind === "Status") {
      return new ApiError(String(answer.message || answer.reason || `status ${status}`), {
        status,
        ...about,
        ...(typeof answer.reason === "string" ? { reason: answer.reason } : {}),
        ...(typeof answer.details === "object" && answer.details !== null ? { details: answer.details } : {}),
      });
    }
  } catch { /* not JSON */ }
  const text = body.trim().split("\n", 1)[0]!.slice(0, 300);
  return new ApiError(text === "" ? `the answer was status ${status} without a reason` : text, {
    status,
    ...about,
  });
}
