import type { Api } from "../../k8s/api/api.ts";
import { ApiError } from "../../k8s/api/api_error.ts";
import type { ForwardPlan } from "../../k8s/session/objects/session_plan.ts";
import { findHookLeftovers } from "../../k8s/webhook/find_leftovers.ts";
import { removeMark } from "../../k8s/webhook/remove_leftovers.ts";
import { countObjects } from "../../k8s/webhook/serve_conversion.ts";
import { keptWarnings, markedObject } from "../session/marked_object.ts";
import { checkOverlap } from "./check_overlap.ts";
import { checkWebhooks } from "./check_webhooks.ts";
import { copiesFor, type WebhookWishes } from "./session_webhooks.ts";

/**
 * Checks everything that could be wrong with a session's webhooks, before anything of it is created, says what its user should know, and
 * removes what ended sessions of the namespace have left.
 * @throws UserError if the session must not start; also as {@linkcode Api.request} does
 */
export async function prepareStart(
  api: Api,
  plan: ForwardPlan,
  wishes: WebhookWishes,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { conversions, filter } = wishes;
  const [warnings] = await Promise.all([
    checkOverlap(api, plan, filter, signal),
    checkWebhooks(api, plan, copiesFor(plan, wishes), signal),
    removeLeftovers(api, plan, say, signal),
  ]);
  for (const warning of warnings) say(`Warning: ${warning}`);
  await Promise.all(conversions.map(async ({ original }) => {
    const count = await countObjects(api, original, signal);
    const objects = count === undefined ? "objects" : `${count} ${count === 1 ? "object" : "objects"}`;
    say(
      `Warning: the program here converts all ${objects} of ${original.metadata.name}, whatever --only says. While it does not answer, they ` +
        "cannot be read in other versions than the stored one; if kurun is killed, that lasts until kurun cleanup or its next start",
    );
  }));
}

/** Without the right to remove them they stay: they do nothing, except for conversions. */
async function removeLeftovers(api: Api, { namespace }: ForwardPlan, say: (line: string) => void, signal: AbortSignal): Promise<void> {
  const { marks } = await findHookLeftovers(api, { namespace, signal });
  for (const mark of marks) {
    try {
      const kept = await removeMark(api, mark, signal);
      say(`Removed what session ${mark.session.name} left: ${markedObject(mark)}`);
      for (const warning of keptWarnings(new Map(kept.length > 0 ? [[mark.name, kept]] : []))) say(warning);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      say(`Warning: what session ${mark.session.name} left could not be removed: ${markedObject(mark)}: ${error.message}`);
    }
  }
}
