import type { Api } from "../api/api.ts";
import { onStatus } from "../api/api_error.ts";
import { SESSION_LABEL } from "../session/objects/session_plan.ts";
import { include } from "./exclude_from_original.ts";
import { conditionName, type HookSession } from "./guard.ts";
import { HOOK_KINDS, hookPath, type LiveHookConfiguration } from "./hook_configuration.ts";
import { switchOff } from "./switch.ts";

/**
 * Ends what a session does to the cluster's admission: it switches the session off, and then removes its conditions from the originals and
 * its copies. Whoever removes the session's Job does this first.
 * @param answered called between the two: requests that were sent to the session before may still wait for it
 * @throws as {@linkcode Api.request} does
 */
export async function removeConfigurations(
  api: Api,
  session: HookSession,
  { answered, signal }: { answered?: () => Promise<void>; signal?: AbortSignal } = {},
): Promise<void> {
  await switchOff(api, session, signal);
  await answered?.();
  const name = conditionName(session);
  await Promise.all(HOOK_KINDS.map(async (kind) => {
    const { items } = await api.list<LiveHookConfiguration>(hookPath(kind), { signal });
    await Promise.all(items.map(async ({ metadata, webhooks = [] }) => {
      if (metadata.labels?.[SESSION_LABEL] === session.name) {
        await api.delete(hookPath(kind, metadata.name), { uid: metadata.uid, signal }).catch(onStatus([404, 409], undefined));
      } else if (webhooks.some(({ matchConditions = [] }) => matchConditions.some((condition) => condition.name === name))) {
        await include(api, { kind, name: metadata.name }, { name }, signal);
      }
    }));
  }));
}
