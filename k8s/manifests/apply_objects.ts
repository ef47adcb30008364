/** Applies many objects in order: first those that others need, then the others as they appear in the manifests. */

import type { Api, ApiAnswer } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import { ConnectionError } from "../api/connection_error.ts";
import type { Condition } from "../api/kubernetes_objects.ts";
import { sleep } from "../api/sleep.ts";
import { inOrder, isDefinition, isNamespace, type PlannedObject } from "./apply_plan.ts";
import { kindsOfDefinition } from "./discovery.ts";
import type { LiveObject } from "./field_ownership.ts";
import { applyObject, FieldConflictError, PreviewError, type ServerSideApply } from "./server_side_apply.ts";

/** Receives the outcome of each object. */
export interface ApplyObserver {
  applied(object: PlannedObject, answer: ApiAnswer<LiveObject>): void;
  /** The object was refused. The others are still applied. */
  failed(object: PlannedObject, error: unknown): void;
  /** A dry run cannot preview the object, because these very objects would create its namespace or kind. */
  untriable(object: PlannedObject): void;
}

/** The outcome of all objects. */
export interface ApplyOutcome {
  readonly applied: ReadonlyMap<PlannedObject, LiveObject>;
  readonly failed: readonly PlannedObject[];
  /** The object whose request was under way when applying ended: it may or may not be applied. */
  readonly unsure?: PlannedObject | undefined;
  /** Objects that were not attempted, because something they need failed or the cluster became unreachable. */
  readonly untried: readonly PlannedObject[];
  /** What ended applying early, if anything did. */
  readonly ended?: unknown;
}

/** A CustomResourceDefinition or a namespace did not become usable. */
export class NotEstablishedError extends Error {
  override readonly name = "NotEstablishedError";
}

/** A CustomResourceDefinition is established within milliseconds, unless its names are taken. */
const ESTABLISHED_WITHIN_MS = 30_000;
/** Paths of a new kind, and the service account of a new namespace, may be missing for a moment. */
const SERVED_WITHIN_MS = 15_000;
const POLL_MS = 100;

/**
 * Applies objects in order. If one is refused the others are still applied, unless they may need it: after a namespace or
 * a CustomResourceDefinition has failed, nothing else is attempted.
 */
export async function applyObjects(
  api: Api,
  planned: readonly PlannedObject[],
  options: ServerSideApply,
  observer: ApplyObserver,
): Promise<ApplyOutcome> {
  const { first, rest } = inOrder(planned);
  const applied = new Map<PlannedObject, LiveObject>();
  const failed: PlannedObject[] = [];
  const left = new Set(planned);
  for (const object of [...first, ...rest]) {
    if (object === rest[0] && failed.length > 0) break;
    try {
      const answer = await applyOne(api, object, options, first);
      applied.set(object, answer.body);
      observer.applied(object, answer);
    } catch (error) {
      if (!isAnswer(error)) {
        const unsure = mayBeApplied(error) ? object : undefined;
        return { applied, failed, unsure, untried: [...left].filter((one) => one !== unsure), ended: error };
      }
      const isMissing = error instanceof ApiError && error.status === 404;
      if (options.dryRun && isMissing && (createsNamespace(first, object) || createsKind(first, object))) observer.untriable(object);
      else {
        failed.push(object);
        observer.failed(object, error);
      }
    }
    left.delete(object);
  }
  return { applied, failed, untried: [...left] };
}

/** Whether the request may have reached the API server, because its connection was made before it broke. */
function mayBeApplied(error: unknown): boolean {
  if (error instanceof ConnectionError) return !/^(?:refused|unreachable|dns|tls.*)$/.test(error.kind);
  return !(error instanceof ApiError);
}

function createsNamespace(first: readonly PlannedObject[], { namespace }: PlannedObject): boolean {
  return first.some(({ source }) => isNamespace(source) && source.name === namespace);
}

function createsKind(first: readonly PlannedObject[], { resource }: PlannedObject): boolean {
  const kinds = first.flatMap(({ source }) => kindsOfDefinition(source.body));
  return kinds.some(({ group, kind }) => group === resource.group && kind === resource.kind);
}

/** Whether the error is the cluster's answer about this one object, so that others may still be applied. */
export function isAnswer(error: unknown): boolean {
  if (error instanceof ApiError) return error.status !== 401;
  return error instanceof FieldConflictError || error instanceof NotEstablishedError || error instanceof PreviewError;
}

/** @param first objects applied before, which may create its kind */
async function applyOne(
  api: Api,
  object: PlannedObject,
  options: ServerSideApply,
  first: readonly PlannedObject[],
): Promise<ApiAnswer<LiveObject>> {
  const { source, path, body } = object;
  const { dryRun, signal } = options;
  const until = performance.now() + SERVED_WITHIN_MS;
  let answer: ApiAnswer<LiveObject>;
  while (true) {
    try {
      answer = await applyObject(api, path, body, options);
      break;
    } catch (error) {
      const mayPass = !dryRun && (isNotServed(error) && createsKind(first, object) || isWithoutAccount(error));
      if (!mayPass || performance.now() > until) throw error;
      await sleep(POLL_MS, signal);
    }
  }
  if (dryRun) return answer;
  if (isNamespace(source) && answer.body.metadata.deletionTimestamp) {
    throw new NotEstablishedError("it is being deleted: apply again once it is gone");
  }
  if (isDefinition(source)) await established(api, path, answer.body, signal);
  return answer;
}

async function established(api: Api, path: string, applied: LiveObject, signal: AbortSignal): Promise<void> {
  const until = performance.now() + ESTABLISHED_WITHIN_MS;
  for (let live = applied;;) {
    // A definition that has just been created has null here, for which a default value does not stand in.
    const conditions = (live.status as { conditions?: readonly Condition[] | null } | undefined)?.conditions ?? [];
    if (conditions.some(({ type, status }) => type === "Established" && status === "True")) return;
    const refused = conditions.find(({ type, status }) => type === "NamesAccepted" && status === "False");
    if (refused) throw new NotEstablishedError(`its names are not accepted: ${refused.message ?? refused.reason}`);
    if (performance.now() > until) throw new NotEstablishedError(`it is not established after ${ESTABLISHED_WITHIN_MS / 1000} s`);
    await sleep(POLL_MS, signal);
    live = (await api.get<LiveObject>(path, { signal })).body;
  }
}

/** Whether a kind's path is not served yet. The 404 of an object, such as a namespace, carries a name. */
function isNotServed(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404 && !error.details?.name;
}

/** Whether the namespace is so new that it has no service account yet. */
function isWithoutAccount(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403 &&
    /error looking up service account .*\/default: serviceaccount "default" not found/.test(error.message);
}
