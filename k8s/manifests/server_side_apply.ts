/**
 * Server-side apply of one object, and of what `kubectl apply` applied before.
 *
 * @module
 */

import type { Api, ApiAnswer, Query } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import { clientSideManagers, withoutClientSideManagers } from "./field_ownership.ts";
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

/** So often the managed fields are moved while others change the object. */
const MAX_TRIES = 5;

/**
 * Applies an object. What `kubectl apply` owns of it becomes this manager's.
 *
 * @throws {FieldConflictError} where another manager holds a field with another value
 * @throws as {@linkcode Api.request} does
 */
export async function applyObject(api: Api, path: string, body: ObjectBody, options: ServerSideApply): Promise<AppliedObject> {
  let answer: ApiAnswer;
  try {
    answer = await send(api, path, body, options);
  } catch (error) {
    const conflicts = fieldConflicts(error);
    if (conflicts.length === 0) throw error;
    const live = (await api.get(path, { signal: options.signal })).body as LiveObject;
    const clientSide = clientSideManagers(live.metadata.managedFields ?? []);
    const foreign = conflicts.filter(({ manager }) => !clientSide.has(manager));
    if (foreign.length > 0) throw new FieldConflictError(foreign, { cause: error });
    if (!options.dryRun) await takeOver(api, path, live, options);
    // A dry run cannot move anything: force shows what will be, since nobody else holds these fields.
    answer = await send(api, path, body, { ...options, force: options.dryRun || options.force });
  }
  const object = answer.body as LiveObject;
  const applied = { object, created: answer.status === 201, warnings: answer.warnings };
  if (options.dryRun) return { ...applied, object: await withRemovals(api, path, body, object, options) };
  if (!await takeOver(api, path, object, options)) return applied;
  // Once more, since only now what the manifest does not have any more can go.
  return { ...applied, object: (await send(api, path, body, options)).body as LiveObject };
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

/** Moves what `kubectl apply` owns to the applier. @returns whether there was anything to move */
async function takeOver(api: Api, path: string, object: LiveObject, { fieldManager, signal }: ServerSideApply): Promise<boolean> {
  let live = object;
  for (let tries = 1;; tries++) {
    const managedFields = withoutClientSideManagers(live.metadata.managedFields ?? [], fieldManager);
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
