import { isDeepStrictEqual } from "node:util";
import { type Api, FIELD_MANAGER } from "../../k8s/api/api.ts";
import { mayPass, onStatus } from "../../k8s/api/api_error.ts";
import type { Definition, LiveMetadata } from "../../k8s/api/kubernetes_objects.ts";
import { sleep } from "../../k8s/api/sleep.ts";
import { SessionBrokenError } from "../../k8s/session/check_objects.ts";
import { type Conversion, definitionPath } from "../../k8s/webhook/conversion.ts";
import { exclude, type Exclusion } from "../../k8s/webhook/exclude_from_original.ts";
import type { HookSession, MatchCondition } from "../../k8s/webhook/guard.ts";
import { hookPath, type LiveHookConfiguration } from "../../k8s/webhook/hook_configuration.ts";
import { isSwitchedOn } from "../../k8s/webhook/switch.ts";

/** How often the configurations are looked at, in milliseconds. */
const CHECK_MS = 5_000;
/** An answer takes no longer than this, or the next look decides. */
const ANSWER_MS = 5_000;
/** A controller that puts an original back this often goes on to do so. */
const MAX_LOSSES = 3;

/** The configurations of a session. */
export interface WatchedWebhooks {
  readonly session: HookSession;
  /** As they were created. */
  readonly copies: readonly LiveHookConfiguration[];
  readonly exclusions: readonly Exclusion[];
  readonly condition: MatchCondition;
  /** The names of definitions, and the conversion that each gets. */
  readonly conversions: readonly { readonly name: string; readonly wrote: Conversion }[];
}

/**
 * Watches until aborted what others do to a session's configurations. An original that lost the session's condition gets it back, after
 * longer and longer pauses: a controller that puts the original back may win. A conversion is not written again, because the API server
 * reads all objects anew after each change.
 * @throws SessionBrokenError if a copy does not do its work any more: the original leaves these requests out
 */
export async function watchWebhooks(
  api: Api,
  { session, copies, exclusions, condition, conversions }: WatchedWebhooks,
  say: (line: string) => void,
  signal: AbortSignal,
  everyMs = CHECK_MS,
): Promise<void> {
  const losses = new Map<Exclusion, number>();
  const pauses = new Map<Exclusion, number>();
  const answered = new Set<string>();
  // kurun stop, or another kurun that takes over, switches the session off before it removes anything.
  const isOff = async () => await isSwitchedOn(api, session, signal).catch(() => false) === false;
  for (;;) {
    await sleep(everyMs, signal);
    await Promise.all([
      ...copies.map(async (copy) => {
        const broken = await look<LiveHookConfiguration>(
          api,
          hookPath(copy.kind, copy.metadata.name),
          signal,
          (found) => whatBroke(copy, found),
        );
        if (broken && !await isOff()) throw new SessionBrokenError(`${copy.kind} ${copy.metadata.name} ${broken}`);
      }),
      ...exclusions.map(async (exclusion) => {
        const { kind, name } = exclusion;
        const lost = losses.get(exclusion) ?? 0;
        const pause = pauses.get(exclusion) ?? 0;
        pauses.set(exclusion, pause - 1);
        if (lost > MAX_LOSSES || pause > 0) return;
        const judge = (found: LiveHookConfiguration | undefined) => hasLost(found, exclusion, condition) ? "lost" : undefined;
        if (!await look<LiveHookConfiguration>(api, hookPath(kind, name), signal, judge)) return;
        if (await isOff()) return;
        losses.set(exclusion, lost + 1);
        pauses.set(exclusion, 2 ** lost);
        if (lost === MAX_LOSSES) {
          return say(
            `${kind} ${name} is put back again and again, probably by a controller: from now on its webhooks answer this session's requests too`,
          );
        }
        if (lost === 0) say(`${kind} ${name} was put back as it was; kurun leaves this session's requests out of it again`);
        // Not aborted: what it does must not come after the session's end.
        await exclude(api, exclusion, condition).catch((error) => {
          if (!mayPass(error)) throw error;
        });
      }),
      ...conversions.map(async ({ name, wrote }) => {
        const isOurs = ({ spec }: Definition) => isDeepStrictEqual(spec.conversion, wrote);
        const by = await look<Definition>(api, definitionPath(name), signal, (found) => found && (isOurs(found) ? "" : lastManager(found)));
        if (by === "") answered.add(name);
        else if (by && answered.delete(name)) say(`${by} changed the conversion of ${name}: conversions may no longer reach this machine`);
      }),
    ]);
  }
}

/** Reads an object. @returns what `judge` says; undefined if it cannot be read now */
async function look<T>(
  api: Api,
  path: string,
  signal: AbortSignal,
  judge: (found: T | undefined) => string | undefined,
): Promise<string | undefined> {
  try {
    return judge((await api.find<T>(path, { signal, timeoutMs: ANSWER_MS }))?.body);
  } catch (error) {
    if (mayPass(error)) return undefined;
    return onStatus([401, 403], undefined)(error);
  }
}

/** What keeps a copy from doing its work. Selectors may be added: some clusters keep all webhooks away from their own namespaces. */
function whatBroke(copy: LiveHookConfiguration, found: LiveHookConfiguration | undefined): string | undefined {
  if (!found || found.metadata.uid !== copy.metadata.uid || found.metadata.deletionTimestamp) return "was deleted";
  const essence = ({ webhooks = [] }: LiveHookConfiguration) =>
    JSON.stringify(webhooks.map(({ name, clientConfig: { service, caBundle }, matchConditions }) => [
      ...[name, service?.namespace, service?.name, service?.path, service?.port, caBundle],
      ...(matchConditions ?? []).map(({ name, expression }) => [name, expression]),
    ]));
  return essence(found) === essence(copy) ? undefined : "was changed";
}

/** Whether an original has lost the condition. One that was deleted has nothing to leave out. */
function hasLost(found: LiveHookConfiguration | undefined, { webhooks }: Exclusion, condition: MatchCondition): boolean {
  return (found?.webhooks ?? []).some(({ name, matchConditions = [] }) =>
    webhooks.includes(name) && !matchConditions.some((one) => one.name === condition.name)
  );
}

/** Who else changed an object last. */
function lastManager({ metadata: { managedFields = [] } }: { readonly metadata: LiveMetadata }): string {
  const fields = managedFields.filter(({ manager }) => manager !== FIELD_MANAGER);
  return fields.toSorted((a, b) => (a.time ?? "") < (b.time ?? "") ? 1 : -1)[0]?.manager ?? "Somebody";
}
