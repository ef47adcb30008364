/**
 * Applies many objects in order: first those that others need, then the others as they appear in the manifests.
 *
 * @module
 */

import type { Condition } from "../api/kubernetes_objects.ts";
import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import { ConnectionError } from "../api/connection_error.ts";
import { inOrder, isDefinition, isNamespace, type PlannedObject } from "./apply_plan.ts";
import { kindsOfDefinition } from "./discovery.ts";
import type { LiveObject } from "./field_ownership.ts";
import { sleep } from "../api/sleep.ts";
import { type AppliedObject, applyObject, FieldConflictError, PreviewError, type ServerSideApply } from "./server_side_apply.ts";

/** Receives the outcome of each object. */
export interface ApplyObserver {
  applied(object: PlannedObject, result: AppliedObject): void;
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
  readonly unsure?: PlannedObject;
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
  const newKinds = new Set<string>();
  const left = new Set(planned);
  let ended: unknown;
  let unsure: PlannedObject | undefined;
  for (const object of [...first, ...rest]) {
    if (object === rest[0] && failed.length > 0) break;
    try {
      const result = await applyOne(api, object, options, newKinds);
      applied.set(object, result.object);
      observer.applied(object, result);
    } catch (error) {
      if (!isAnswer(error)) {
        ended = error;
        if (mayBeApplied(error)) {
          unsure = object;
          left.delete(object);
        }
        break;
      }
      if (options.dryRun && isMissing(error) && needs(object, first)) {
        observer.untriable(object);
      } else {
        failed.push(object);
        observer.failed(object, error);
      }
    }
    left.delete(object);
  }
  return { applied, failed, untried: [...left], ...unsure && { unsure }, ...(ended === undefined ? {} : { ended }) };
}

/** Whether the request may have reached the API server, because its connection was made before it broke. */
function mayBeApplied(error: unknown): boolean {
  if (error instanceof ConnectionError) return !/^(?:refused|unreachable|dns|tls.*)$/.test(error.kind);
  return !(error instanceof ApiError);
}

function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** Whether one of these objects creates the namespace or kind of another. */
function needs({ namespace, resource }: PlannedObject, first: readonly PlannedObject[]): boolean {
  return first.some(({ source }) =>
    isNamespace(source)
      ? source.name === namespace
      : kindsOfDefinition(source.body).some(({ group, kind }) => group === resource.group && kind === resource.kind)
  );
}

/** Whether the error is the cluster's answer about this one object, so that others may still be applied. */
export function isAnswer(error: unknown): boolean {
  if (error instanceof ApiError) return error.status !== 401;
  return error instanceof FieldConflictError || error instanceof NotEstablishedError || error instanceof PreviewError;
}

async function applyOne(api: Api, object: PlannedObject, options: ServerSideApply, newKinds: Set<string>): Promise<AppliedObject> {
  const { source, resource, path, body } = object;
  const isNew = newKinds.has(`${resource.group} ${resource.kind}`);
  const until = performance.now() + SERVED_WITHIN_MS;
  let result: AppliedObject;
  while (true) {
    try {
      result = await applyObject(api, path, body, options);
      break;
    } catch (error) {
      const mayPass = !options.dryRun && (isNew && isNotServed(error) || isWithoutAccount(error));
      if (!mayPass || performance.now() > until) throw error;
      await sleep(POLL_MS, options.signal);
    }
  }
  if (options.dryRun) return result;
  if (isNamespace(source) && result.object.metadata.deletionTimestamp) {
    throw new NotEstablishedError("it is being deleted: apply again once it is gone");
  }
  if (isDefinition(source)) {
    for (const { group, kind } of kindsOfDefinition(source.body)) newKinds.add(`${group} ${kind}`);
    await established(api, path, result.object, options.signal);
  }
  return result;
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
