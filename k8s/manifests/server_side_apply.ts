/**
 * Server-side apply of one object, and of what `kubectl apply` applied before.
 *
 * @module
 */

import type { Api, ApiAnswer, Query } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import {
  CREATE_MANAGER,
  type ManagedFieldsEntry,
  withKubectlAgain,
  withoutKubectl,
  withoutPredecessors,
  yieldingManagers,
} from "./field_ownership.ts";
import type { LiveObject } from "./live_object.ts";
import type { ObjectBody } from "./manifest_objects.ts";
import { replacing, withoutRemovedFields } from "./removed_fields.ts";

/** How objects are applied. */
export interface ServerSideApply {
  readonly fieldManager: string;
  /** Takes fields that other managers hold, instead of a conflict. */
  readonly force: boolean;
  /** The API server does all but keep the result. */
  readonly dryRun: boolean;
  /** What becomes of fields that the kind does not have. */
  readonly validation: "Strict" | "Warn" | "Ignore";
  readonly signal: AbortSignal;
}

/** An object as the cluster has it now. */
export interface AppliedObject {
  readonly object: LiveObject;
  /** Whether it was not there before. */
  readonly created: boolean;
  readonly warnings: readonly string[];
}

/** Fields that other managers hold with other values. */
export class FieldConflictError extends Error {
  override readonly name = "FieldConflictError";
  readonly conflicts: readonly FieldConflict[];

  constructor(conflicts: readonly FieldConflict[], options?: ErrorOptions) {
    super(`${conflicts.length} fields are held by other managers`, options);
    this.conflicts = conflicts;
  }
}

/** A field that another manager holds. */
export interface FieldConflict {
  readonly field: string;
  readonly manager: string;
}

/** A dry run cannot show what would come of it, since the fields that kubectl made would have to become the applier's first. */
export class PreviewError extends Error {
  override readonly name = "PreviewError";
}

/** Attempts to move managed fields while others change the object. */
const MAX_TRIES = 5;

/**
 * Applies an object. What `kubectl apply` owns of it becomes this manager's.
 *
 * @throws {FieldConflictError} where another manager holds a field with another value
 * @throws {PreviewError} where a dry run cannot tell
 * @throws as {@linkcode Api.request} does
 */
export async function applyObject(api: Api, path: string, body: ObjectBody, options: ServerSideApply): Promise<AppliedObject> {
  let answer: ApiAnswer;
  try {
    answer = await sendOverConflicts(api, path, body, options);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 422) throw error;
    answer = await sendOverKubectl(api, path, body, options, error);
  }
  const object = answer.body as LiveObject;
  const applied = { object, created: answer.status === 201, warnings: answer.warnings };
  if (options.dryRun) return { ...applied, object: await withRemovals(api, path, body, object, options) };
  if (!await takeOver(api, path, object, options, withoutPredecessors)) return applied;
  // Only the second time what the manifest does not have any more can go.
  return { ...applied, object: (await send(api, path, body, options)).body as LiveObject };
}

/** Applies, where conflicts with kubectl are none. */
async function sendOverConflicts(api: Api, path: string, body: ObjectBody, options: ServerSideApply): Promise<ApiAnswer> {
  try {
    return await send(api, path, body, options);
  } catch (error) {
    const conflicts = fieldConflicts(error);
    if (conflicts.length === 0) throw error;
    const live = (await api.get(path, { signal: options.signal })).body as LiveObject;
    const yielding = yieldingManagers(live.metadata.managedFields ?? [], options.fieldManager);
    const foreign = conflicts.filter(({ manager }) => !yielding.has(manager));
    if (foreign.length > 0) throw new FieldConflictError(foreign, { cause: error });
    if (!options.dryRun) await takeOver(api, path, live, options, withoutPredecessors);
    // A dry run moves nothing, and what kubectl create made is taken field by field: nobody else holds these.
    const force = options.force || options.dryRun || conflicts.some(({ manager }) => manager === CREATE_MANAGER);
    return await send(api, path, body, { ...options, force });
  }
}

/**
 * Applies once more, after all that kubectl owns has become the applier's. The API server merges lists by their keys and keeps what others
 * own: a Service's port 80 of kubectl's stays beside the manifest's port 81, and both have the name http, which is invalid. The same
 * happens where a volume gets another type, or a probe another handler.
 */
async function sendOverKubectl(
  api: Api,
  path: string,
  body: ObjectBody,
  options: ServerSideApply,
  refusal: ApiError,
): Promise<ApiAnswer> {
  const live = await api.get(path, { signal: options.signal }).then((answer) => answer.body as LiveObject, (error) => {
    if (error instanceof ApiError && error.status === 404) throw refusal;
    throw error;
  });
  const before = live.metadata.managedFields ?? [];
  if (withoutKubectl(before, options.fieldManager) === undefined) throw refusal;
  if (options.dryRun) throw new PreviewError(refusal.message, { cause: refusal });
  await takeOver(api, path, live, options, withoutKubectl);
  try {
    return await send(api, path, body, options);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The manifest itself is wrong: kubectl gets its fields back.
    await takeOver(api, path, live, options, (now, applier) => withKubectlAgain(now, before, applier)).catch(() => {});
    throw error;
  }
}

function send(api: Api, path: string, body: ObjectBody, options: ServerSideApply): Promise<ApiAnswer> {
  const { fieldManager, force, dryRun, validation, signal } = options;
  const query: Query = { fieldValidation: validation, dryRun: dryRun ? "All" : undefined };
  return api.apply(path, body, { fieldManager, force, signal, query });
}

/** What a dry run returned, as it would be once more after fields were moved. */
async function withRemovals(
  api: Api,
  path: string,
  manifest: ObjectBody,
  object: LiveObject,
  { fieldManager, signal }: ServerSideApply,
): Promise<LiveObject> {
  const left = withoutRemovedFields(object, fieldManager);
  if (left === undefined) return object;
  const { body } = await api.request("PATCH", path, {
    contentType: "application/json-patch+json",
    body: replacing(object, left, manifest),
    query: { fieldManager, dryRun: "All" },
    signal,
  });
  const then = body as LiveObject;
  return { ...then, metadata: { ...then.metadata, managedFields: left.metadata.managedFields ?? [] } };
}

/** Moves fields to other managers. @param move undefined where there is nothing to move @returns whether there was */
async function takeOver(
  api: Api,
  path: string,
  object: LiveObject,
  { fieldManager, signal }: ServerSideApply,
  move: (managedFields: readonly ManagedFieldsEntry[], applier: string) => ManagedFieldsEntry[] | undefined,
): Promise<boolean> {
  let live = object;
  for (let tries = 1;; tries++) {
    const managedFields = move(live.metadata.managedFields ?? [], fieldManager);
    // After a conflict it may have been this request that moved them: it is sent twice if the connection breaks before the answer.
    if (managedFields === undefined) return tries > 1;
    try {
      await api.request("PATCH", path, {
        contentType: "application/json-patch+json",
        // The version makes it a conflict where somebody else was faster, and not a loss.
        body: [
          { op: "replace", path: "/metadata/managedFields", value: managedFields },
          { op: "replace", path: "/metadata/resourceVersion", value: live.metadata.resourceVersion },
        ],
        query: { fieldManager },
        signal,
      });
      return true;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 409 || tries === MAX_TRIES) throw error;
      live = (await api.get(path, { signal })).body as LiveObject;
    }
  }
}

/** What an answer says of fields that others hold; nothing where it says something else. */
export function fieldConflicts(error: unknown): FieldConflict[] {
  if (!(error instanceof ApiError) || error.status !== 409) return [];
  return (error.details?.causes ?? []).filter(({ reason }) => reason === "FieldManagerConflict").map(({ field = "", message = "" }) => {
    const [, quoted] = /^conflict with ("(?:[^"\\]|\\.)*")/.exec(message) ?? [];
    return { field, manager: quoted ? JSON.parse(quoted) : message };
  });
}
