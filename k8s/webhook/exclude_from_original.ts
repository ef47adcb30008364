import type { Api, PatchOperation } from "../api/api.ts";
import { changeObject } from "./change_object.ts";
import type { MatchCondition } from "./guard.ts";
import { type HookKind, hookPath, type LiveHookConfiguration } from "./hook_configuration.ts";

/** Webhooks of a configuration that leave requests out. */
export interface Exclusion {
  readonly kind: HookKind;
  readonly name: string;
  /** The names of the webhooks. */
  readonly webhooks: readonly string[];
}

/**
 * Lets webhooks of a configuration leave out the requests that a session answers: each gets the condition. Nothing else of the configuration
 * changes. Webhooks that already have it stay as they are.
 * @throws as {@linkcode Api.request} does
 */
export async function exclude(
  api: Api,
  { kind, name, webhooks }: Exclusion,
  condition: MatchCondition,
  signal?: AbortSignal,
): Promise<void> {
  await changeObject<LiveHookConfiguration>(
    api,
    hookPath(kind, name),
    ({ webhooks: present = [] }) =>
      present.flatMap((hook, index): PatchOperation[] => {
        const { matchConditions = [] } = hook;
        if (!webhooks.includes(hook.name) || matchConditions.some(({ name }) => name === condition.name)) return [];
        const path = `/webhooks/${index}/matchConditions`;
        return matchConditions.length === 0
          ? [{ op: "add", path, value: [condition] }]
          : [{ op: "add", path: `${path}/-`, value: condition }];
      }),
    signal,
  );
}

/** Removes a session's condition from a configuration, which is then as it was before. @throws as {@linkcode Api.request} does */
export async function include(
  api: Api,
  { kind, name }: Pick<Exclusion, "kind" | "name">,
  condition: string,
  signal?: AbortSignal,
): Promise<void> {
  await changeObject<LiveHookConfiguration>(
    api,
    hookPath(kind, name),
    ({ webhooks = [] }) =>
      webhooks.flatMap(({ matchConditions = [] }, index) => {
        const path = `/webhooks/${index}/matchConditions`;
        const at = matchConditions.findIndex(({ name }) => name === condition);
        if (at < 0) return [];
        // The field was not there before: an empty list would be another configuration.
        return [{ op: "remove", path: matchConditions.length === 1 ? path : `${path}/${at}` }];
      }),
    signal,
  );
}
