import type { Api } from "../../k8s/api/api.ts";
import { ApiError } from "../../k8s/api/api_error.ts";
import type { HookSession } from "../../k8s/webhook/guard.ts";
import { removeConfigurations } from "../../k8s/webhook/remove_configurations.ts";
import { keptWarnings } from "./marked_object.ts";

/**
 * Removes what a webhook session has outside its namespace, before somebody removes the session. What the user may not remove is left to the
 * session's client, or to kurun cleanup: without the session, configurations have no effect.
 * @throws as {@linkcode Api.request} does, but no refusals
 */
export async function releaseWebhooks(
  api: Api,
  session: HookSession,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    keptWarnings(await removeConfigurations(api, session, { signal })).forEach(say);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    say(`Warning: what session ${session.name} put into webhook configurations may be left: kurun cleanup removes it: ${error.message}`);
  }
}
