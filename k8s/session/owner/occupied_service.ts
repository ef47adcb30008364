/**
 * What a start does about a session that has the Service already. Pure.
 *
 * @module
 */
import type { Presence } from "./client_presence.ts";

/** What speaks for and against. */
export interface Occupation {
  /** Whether the session is of the same user on the same machine. */
  readonly mine: boolean;
  readonly presence: Presence;
  /** Whether its objects are what this start would make. */
  readonly samePlan: boolean;
  /** Whether the user asked to have it in any case. */
  readonly takeover: boolean;
}

/** Go on as that session, make way for a new one and why, or leave it alone. */
export type OccupationDecision =
  | { readonly do: "adopt" }
  | { readonly do: "refuse" }
  | { readonly do: "remove"; readonly why: "other-plan" | "client-unknown" };

/**
 * Decides: what is the user's own and without a client is free, all else takes the user's word. A session whose client may be about to
 * connect is not gone on with: the later of the two would take it from the other.
 */
export function decideOnOccupied({ mine, presence, samePlan, takeover }: Occupation): OccupationDecision {
  const free = mine && presence.is === "away";
  if (!free && !takeover) return { do: "refuse" };
  if (!samePlan) return { do: "remove", why: "other-plan" };
  return presence.is === "unknown" ? { do: "remove", why: "client-unknown" } : { do: "adopt" };
}
