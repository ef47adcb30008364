import type { Api } from "../api/api.ts";
import { findMarks } from "./find_leftovers.ts";
import type { HookSession } from "./guard.ts";
import { removeMark } from "./remove_leftovers.ts";
import { type KeptFields, putConversionsBack } from "./serve_conversion.ts";
import { switchOff } from "./switch.ts";

/**
 * Ends what a session does to the cluster's admission and conversions: it puts the conversions back, switches the session off, and then
 * removes its conditions from the originals and its copies. Whoever removes the session's Job does this first. What is refused keeps
 * nothing else from being done: a session that stays switched on without its Pod would have requests refused.
 * @param answered called after the switch: requests that were sent to the session before may still wait for it
 * @returns what somebody else has changed of the conversions, and stays
 * @throws the first refusal, after all else was done; as {@linkcode Api.request} does
 */
export async function removeConfigurations(
  api: Api,
  session: HookSession,
  { answered, signal }: { answered?: () => Promise<void>; signal?: AbortSignal } = {},
): Promise<KeptFields> {
  const failures: unknown[] = [];
  const failed = (error: unknown) => void failures.push(error);
  const { marks = [], hidden } = await findMarks(api, signal).catch(failed) ?? {};
  const own = Map.groupBy(marks.filter((mark) => isOf(mark.session, session)), ({ is }) => is);
  const { conversion = [], condition = [], copy = [] } = Object.fromEntries(own);
  const kept = await putConversionsBack(api, conversion, signal).catch(failed);
  await switchOff(api, session, signal).catch(failed);
  await answered?.();
  for (const some of [condition, copy]) await Promise.all(some.map((mark) => removeMark(api, mark, signal).catch(failed)));
  // A session need not have the right to CustomResourceDefinitions.
  hidden?.delete("customresourcedefinitions");
  for (const error of [...failures, ...hidden?.values() ?? []]) throw error;
  return kept ?? new Map();
}

function isOf(a: HookSession, b: HookSession): boolean {
  return a.name === b.name && a.namespace === b.namespace;
}
