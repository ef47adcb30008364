import type { ForwardPlan } from "../../k8s/session/objects/session_plan.ts";

/**
 * Says what happens when this machine is gone, in one line.
 * @param raw whether callers' bytes are not HTTP
 */
export function awayLine({ holdMs, ttlSeconds, fallback }: Pick<ForwardPlan, "holdMs" | "ttlSeconds" | "fallback">, raw: boolean): string {
  const wait = holdMs > 0 ? `after ${holdMs / 1000} s` : "at once";
  const answer = raw
    ? `callers are disconnected ${wait}`
    : fallback === "allow"
    ? `admission requests are allowed with a warning ${wait}, and others get 503`
    : `callers get 503 ${wait}`;
  const end = ttlSeconds > 0 ? `the session is removed after ${ttlSeconds} s` : "the session stays until it is removed (--ttl 0)";
  return `While this machine is away, ${answer}; ${end}`;
}
