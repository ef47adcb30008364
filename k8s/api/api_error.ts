import { ConnectionError } from "./connection_error.ts";
import type { StatusDetails } from "./kubernetes_objects.ts";

/** The API server, or a server behind it, answered with an error. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** The HTTP status. */
  readonly status: number;
  /** The Status' reason, such as `NotFound`; empty if the answer is not a Status. */
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  /** When it was answered, by the API server's clock; undefined if it did not say. */
  readonly date: Date | undefined;
  /**
   * Whether the request was sent twice, since the connection of the first one broke before the answer. The first one may have been carried
   * out, and be the reason for this refusal: a DELETE is then answered 404, a PATCH of a certain version 409.
   */
  readonly repeated: boolean;
  /** A likely reason that this side knows, such as an expired certificate. */
  readonly hint: string | undefined;

  constructor(message: string, about: AboutRequest & { status: number; reason?: string; details?: StatusDetails }) {
    super(message);
    ({ status: this.status, reason: this.reason = "", details: this.details } = about);
    ({ date: this.date, repeated: this.repeated = false, hint: this.hint } = about);
  }
}

type AboutRequest = Partial<Pick<ApiError, "date" | "repeated" | "hint">>;

/** The error of an answer: a `v1.Status` as JSON, or the text of a proxy on the way. */
export function statusError(status: number, body: string, about: AboutRequest = {}): ApiError {
  try {
    const { kind, message, reason, details } = JSON.parse(body);
    if (kind === "Status") {
      return new ApiError(String(message || reason || `status ${status}`), {
        status,
        ...about,
        ...(typeof reason === "string" ? { reason } : {}),
        ...(typeof details === "object" && details !== null ? { details } : {}),
      });
    }
  } catch { /* not JSON */ }
  const text = body.trim().split("\n", 1)[0]!.slice(0, 300);
  return new ApiError(text || `the answer was status ${status} without a reason`, { status, ...about });
}

/** Whether the same request may succeed a moment later: the connection failed (not by its signal), the API server is overloaded (429) or starts (5xx). */
export function mayPass(error: unknown): boolean {
  if (error instanceof ConnectionError) return error.kind !== "aborted";
  return error instanceof ApiError && (error.status >= 500 || error.status === 429);
}

/** For `catch`: returns a value instead of a refusal with one of these statuses, and throws everything else. */
export function onStatus<T>(statuses: readonly number[], value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof ApiError && statuses.includes(error.status)) return value;
    throw error;
  };
}
