/**
 * Server-side apply of one object, which takes over what `kubectl apply` applied before.
 *
 * @module
 */

import type { Api, ApiAnswer } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import type { Query } from "../api/request_sender.ts";
import {
  CREATE_MANAGER,
  type LiveObject,
  type ManagedFieldsEntry,
  withKubectlAgain,
  withoutKubectl,
  withoutPredecessors,
  yieldingManagers,
} from "./field_ownership.ts";
import type { ObjectBody } from "./manifest_objects.ts";
import { replacing, withoutRemovedFields } from "./removed_fields.ts";

/** How objects are applied. */
export interface ServerSideApply {
  readonly fieldManager: string;
  /** Takes over fields that other managers own, instead of failing with a conflict. */
  readonly force: boolean;
  /** The API server does everything except storing the result. */
  readonly dryRun: boolean;
  /** How the API server treats fields that the kind does not have. */
  readonly validation: "Strict" | "Warn" | "Ignore";
  readonly signal: AbortSignal;
}

/** An applied object as the cluster has it now. */
export interface AppliedObject {
  readonly object: LiveObject;
  readonly warnings: readonly string[];
}

/** Other managers own fields with other values. */
export class FieldConflictError extends Error {
  override readonly name = "FieldConflictError";
  readonly conflicts: readonly FieldConflict[];

  constructor(conflicts: readonly FieldConflict[], options?: ErrorOptions) {
    super(`${conflicts.length} fields are owned by other managers`, options);
    this.conflicts = conflicts;
  }
}

/** A field that another manager owns. */
export interface FieldConflict {
  readonly field: string;
  readonly manager: string;
}

/** A dry run cannot show the result, because the applier would have to take over fields from kubectl first. */
export class PreviewError extends Error {
  override readonly name = "PreviewError";
}

/** Attempts to move managed fields while others change the object. */
const MAX_TRIES = 5;

/**
 * Applies an object. This manager takes over the fields that `kubectl apply` owns.
 *
 * @throws {FieldConflictError} if another manager owns a field with another value
 * @throws {PreviewError} if a dry run cannot show the result
 * @throws as {@linkcode Api.request} does
 */
export async function applyObject(api: Api, path: string, body: ObjectBody, options: ServerSideApply): Promise<AppliedObject> {
  let answer: ApiAnswer<LiveObject>;
  try {
    answer = await sendOverConflicts(api, path, body, options);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 422) throw error;
    answer = await sendOverKubectl(api, path, body, options, error);
  }
  const { body: object, warnings } = answer;
  if (options.dryRun) return { object: await withRemovals(api, path, body, object, options), warnings };
  if (!await takeOver(api, path, object, options, withoutPredecessors)) return { object, warnings };
  // Only this second request can remove what the manifest no longer has.
  return { object: (await send(api, path, body, options)).body, warnings };
}

/** Applies, and resolves conflicts that are only with kubectl. */
async function sendOverConflicts(api: Api, path: string, body: ObjectBody, options: ServerSideApply): Promise<ApiAnswer<LiveObject>> {
  try {
    return await send(api, path, body, options);
  } catch (error) {
    const conflicts = fieldConflicts(error);
    if (conflicts.length === 0) throw error;
    const { body: live } = await api.get<LiveObject>(path, { signal: options.signal });
    const yielding = yieldingManagers(live.metadata.managedFields ?? [], options.fieldManager);
    const foreign = conflicts.filter(({ manager }) => !yielding.has(manager));
    if (foreign.length > 0) throw new FieldConflictError(foreign, { cause: error });
    if (!options.dryRun) await takeOver(api, path, live, options, withoutPredecessors);
    // A dry run moves nothing, and fields of kubectl create are taken one by one: nobody else owns those in conflict.
    const force = options.force || options.dryRun || conflicts.some(({ manager }) => manager === CREATE_MANAGER);
    return await send(api, path, body, { ...options, force });
  }
}

/**
 * Takes over everything that kubectl owns, and applies once more. The API server merges lists by their keys and keeps the items that others
 * own: port 80 of a Service, set by kubectl, stays next to port 81 of the manifest, and both are named http, which is invalid. The same
 * happens if a volume gets another type, or a probe another handler.
 */
async function sendOverKubectl(
  api: Api,
  path: string,
  body: ObjectBody,
  options: ServerSideApply,
  refusal: ApiError,
): Promise<ApiAnswer<LiveObject>> {
  const live = (await api.find<LiveObject>(path, { signal: options.signal }))?.body;
  const before = live?.metadata.managedFields ?? [];
  if (!live || withoutKubectl(before, options.fieldManager) === undefined) throw refusal;
  if (options.dryRun) throw new PreviewError(refusal.message, { cause: refusal });
  await takeOver(api, path, live, options, withoutKubectl);
  try {
    return await send(api, path, body, options);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The manifest itself is invalid, so kubectl gets its fields back.
    await takeOver(api, path, live, options, (now, applier) => withKubectlAgain(now, before, applier)).catch(() => {});
    throw error;
  }
}

function send(api: Api, path: string, body: ObjectBody, options: ServerSideApply): Promise<ApiAnswer<LiveObject>> {
  const { fieldManager, force, dryRun, validation, signal } = options;
  const query: Query = { fieldValidation: validation, dryRun: dryRun ? "All" : undefined };
  return api.apply(path, body, { fieldManager, force, signal, query });
}

/** The result of a dry run as it would be after fields were moved. */
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

/** Moves fields to another manager. @param move returns undefined if there is nothing to move @returns whether there was */
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
        // With the version, a concurrent change is a conflict and is not lost.
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
      live = (await api.get<LiveObject>(path, { signal })).body;
    }
  }
}

/** The conflicts that an answer reports; none if it reports something else. */
function fieldConflicts(error: unknown): FieldConflict[] {
  if (!(error instanceof ApiError) || error.status !== 409) return [];
  return (error.details?.causes ?? []).filter(({ reason }) => reason === "FieldManagerConflict").map(({ field = "", message = "" }) => {
    const [, quoted] = /^conflict with ("(?:[^"\\]|\\.)*")/.exec(message) ?? [];
    return { field, manager: quoted ? JSON.parse(quoted) : message };
  });
}
