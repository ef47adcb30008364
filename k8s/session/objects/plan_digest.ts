import { createHash } from "node:crypto";
import { sessionObjects } from "./session_manifests.ts";
import { Annotation, type SessionPlan } from "./session_objects.ts";

/** Stands for the session's own name. */
const ANY_NAME = "any";
/** So many hexadecimal digits tell plans apart; nobody gains by two that are alike. */
const DIGITS = 16;

/**
 * A digest of all that a plan fixes: of its objects without the session's name, secrets and annotations. Sessions with the same digest
 * differ only in whose they are and in what they forward to, so that one may go on as the other.
 */
export function planDigest(plan: SessionPlan): string {
  const objects = sessionObjects({ ...plan, name: ANY_NAME, annotations: {} }, { name: ANY_NAME, uid: ANY_NAME }, NO_SECRETS);
  return createHash("sha256").update(JSON.stringify(sorted(objects))).digest("hex").slice(0, DIGITS);
}

/** The plan with what its Job says of it: Service, ports and digest. */
export function annotated(plan: SessionPlan): SessionPlan {
  return {
    ...plan,
    annotations: {
      ...plan.annotations,
      [Annotation.service]: plan.service,
      [Annotation.ports]: plan.ports.map(({ port }) => port).join(","),
      [Annotation.plan]: planDigest(plan),
    },
  };
}

const NO_SECRETS = { key: new Uint8Array(), cert: "", certKey: "" };

/** The same value with the keys of its objects in order: a selector comes in any. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([key, inner]) => [key, sorted(inner)]));
}
