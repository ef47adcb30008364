import assert from "node:assert/strict";
import type { Presence } from "./client_presence.ts";
import { decideOnOccupied, type Occupation } from "./occupied_service.ts";

const AWAY: Presence = { is: "away", since: "2026-01-01T00:00:00Z" };
const HERE: Presence = { is: "connected", since: "2026-01-01T00:00:00Z" };
const UNKNOWN: Presence = { is: "unknown", seen: "2026-01-01T00:00:00Z" };
const FREE: Occupation = { mine: true, presence: AWAY, samePlan: true, takeover: false };

const OTHER_PLAN = { do: "remove", why: "other-plan" };

for (
  const [what, occupation, decision] of [
    ["my session without a client is adopted", {}, { do: "adopt" }],
    ["my session without a client that was made with other flags is removed", { samePlan: false }, OTHER_PLAN],
    ["my session with a client is refused", { presence: HERE }, { do: "refuse" }],
    ["my session whose client may live is refused", { presence: UNKNOWN }, { do: "refuse" }],
    ["another's session with a client is refused", { mine: false, presence: HERE }, { do: "refuse" }],
    ["another's session without a client is refused", { mine: false }, { do: "refuse" }],
    ["with --takeover my session with a client is adopted", { presence: HERE, takeover: true }, { do: "adopt" }],
    ["with --takeover another's session with a client is adopted", { mine: false, presence: HERE, takeover: true }, { do: "adopt" }],
    ["with --takeover another's session without a client is adopted", { mine: false, takeover: true }, { do: "adopt" }],
    ["with --takeover one made with other flags is removed", { presence: HERE, takeover: true, samePlan: false }, OTHER_PLAN],
    ["with --takeover one whose client may be about to connect is removed, since that would take it back", {
      presence: UNKNOWN,
      takeover: true,
    }, { do: "remove", why: "client-unknown" }],
  ] as [string, Partial<Occupation>, unknown][]
) {
  Deno.test(what, () => assert.deepEqual(decideOnOccupied({ ...FREE, ...occupation }), decision));
}
