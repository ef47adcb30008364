import type { Api } from "../../k8s/api/api.ts";
import { onStatus } from "../../k8s/api/api_error.ts";
import type { Job } from "../../k8s/api/kubernetes_objects.ts";
import { Annotation, type ForwardPlan, objectPath, SESSION_LABEL } from "../../k8s/session/objects/session_plan.ts";
import { isEnding, isOurs, sessionOf, shownAnnotations } from "../../k8s/session/owner/session_owner.ts";
import { describeFilter } from "../../k8s/webhook/describe_filter.ts";
import { compareFilters } from "../../k8s/webhook/filter_overlap.ts";
import { isSession } from "../../k8s/webhook/guard.ts";
import { HOOK_KINDS, hookPath, type LiveHookConfiguration } from "../../k8s/webhook/hook_configuration.ts";
import { type HookFilter, readFilter } from "../../k8s/webhook/hook_filter.ts";
import { ExitCode, UserError } from "../command/errors.ts";

/** Another session's copy of a configuration. */
interface OtherCopy {
  readonly kind: string;
  readonly copy: LiveHookConfiguration;
}

/**
 * Refuses a session that would answer requests that another one answers. The session that this one replaces does not count: it has the
 * same Service.
 * @param mine this session's copies that exist already: of two sessions that start at the same time, only the later one is refused
 * @returns warnings about sessions that may answer the same requests
 * @throws UserError; also as {@linkcode Api.list} does
 */
export async function checkOverlap(
  api: Api,
  plan: ForwardPlan,
  filter: HookFilter,
  signal: AbortSignal,
  mine?: readonly LiveHookConfiguration[],
): Promise<string[]> {
  const warnings = new Set<string>();
  const serves = (plan.annotations[Annotation.serves] ?? "").split(",");
  for (const { kind, copy } of await otherCopies(api, plan, serves, signal)) {
    if (mine && !isOlder(copy, mine)) continue;
    const annotations = shownAnnotations(copy.metadata);
    const { [Annotation.serves]: served = "", [Annotation.namespace]: namespace = "", [Annotation.who]: who = "" } = annotations;
    const theirs = readFilter(copy.metadata.annotations?.[Annotation.filter]);
    const compared = theirs ? compareFilters(filter, theirs) : { is: "unknown" as const };
    if (compared.is === "disjoint" || !await isLive(api, namespace, sessionOf(copy.metadata), signal)) continue;
    const whose = `${who} on ${annotations[Annotation.from]}`;
    const theirFilter = theirs && describeFilter(theirs) || "everything";
    if (compared.is === "overlap") {
      throw new UserError(
        `${served} is already answered by ${whose} since ${annotations[Annotation.since]}, for ${theirFilter}\n` +
          `Both sessions would answer ${compared.example}\n` +
          `Choose other requests with --only, or end that session: kurun stop ${sessionOf(copy.metadata)} -n ${namespace}`,
        ExitCode.cluster,
      );
    }
    warnings.add(
      `${whose} answers ${kind} ${
        served.split("/").at(-1)
      } too, for ${theirFilter}. Requests that are both yours and theirs are sent to both programs`,
    );
  }
  return [...warnings];
}

async function otherCopies(api: Api, plan: ForwardPlan, serves: readonly string[], signal: AbortSignal): Promise<OtherCopy[]> {
  const lists = await Promise.all(HOOK_KINDS.map(async (kind) => {
    const { items } = await api.list<LiveHookConfiguration>(hookPath(kind), { query: { labelSelector: SESSION_LABEL }, signal });
    return items.map((copy) => ({ kind, copy }));
  }));
  return lists.flat().filter(({ copy: { metadata } }) => {
    const { annotations = {}, deletionTimestamp } = metadata;
    const isSamePlace = annotations[Annotation.namespace] === plan.namespace && annotations[Annotation.service] === plan.service;
    return isOurs(metadata) && !deletionTimestamp && !isSamePlace && serves.includes(annotations[Annotation.serves] ?? "");
  });
}

/** Whether a copy was created before those of this session; of two in the same second, one is chosen. */
function isOlder({ metadata }: LiveHookConfiguration, mine: readonly LiveHookConfiguration[]): boolean {
  const age = ({ creationTimestamp = "", labels }: LiveHookConfiguration["metadata"]) => `${creationTimestamp} ${labels?.[SESSION_LABEL]}`;
  return mine.every((own) => age(metadata) < age(own.metadata));
}

/** Whether a session exists; if it cannot be seen, it may. */
async function isLive(api: Api, namespace: string, session: string, signal: AbortSignal): Promise<boolean> {
  if (!isSession({ namespace, name: session })) return false;
  const job = await api.find<Job>(objectPath("Job", namespace, session), { signal }).catch(onStatus([403], "hidden" as const));
  return job === "hidden" || job !== undefined && !isEnding(job.body);
}
