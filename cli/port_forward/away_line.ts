import type { ForwardPlan } from "../../k8s/session/objects/session_plan.ts";
import { age } from "../session/age.ts";

/**
 * Says in one line what happens if kurun loses its connection.
 * @param isBytes whether callers' bytes are not HTTP
 */
export function awayLine(
  { holdMs, ttlSeconds, fallback }: Pick<ForwardPlan, "holdMs" | "ttlSeconds" | "fallback">,
  isBytes: boolean,
): string {
  const wait = holdMs > 0 ? `after ${holdMs / 1000} s` : "at once";
  const answer = isBytes
    ? `callers are disconnected ${wait}`
    : fallback === "allow"
    ? `admission requests are allowed with a warning ${wait}, others get 503`
    : `callers get 503 ${wait}`;
  const end = ttlSeconds > 0
    ? `If it does not return within ${age(ttlSeconds * 1000).replace(/^120s$/, "2m")}, everything it created is deleted.`
    : "What it created stays until it is deleted (--ttl 0).";
  return `If kurun loses its connection, ${answer}. ${end}`;
}
