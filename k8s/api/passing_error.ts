import { ApiError } from "./api_error.ts";
import { ConnectionError } from "./connection_error.ts";

/**
 * Whether the same request may succeed a moment later: the connection failed, the API server is overloaded (429) or starts (5xx).
 * A request that was ended by its own signal does not count.
 */
export function mayPass(error: unknown): boolean {
  if (error instanceof ConnectionError) return error.kind !== "aborted";
  return error instanceof ApiError && (error.status >= 500 || error.status === 429);
}
