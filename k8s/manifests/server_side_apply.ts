/** Server-side apply of one object, which takes over what `kubectl apply` applied before. */

import type { Api, ApiAnswer } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import { CREATE_MANAGER, isKubectl, isPredecessor, type LiveObject, moveFields, withKubectlAgain } from "./field_ownership.ts";
import type { ManagedFieldsEntry } from "./field_ownership.ts";
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

/** Other managers own fields with other values. */
export class FieldConflictError extends Error {
  override readonly name = "FieldConflictError";

  constructor(readonly conflicts: readonly FieldConflict[], options?: ErrorOptions) {
    super(`${conflicts.length} fields are owned by other managers`, options);
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

/** An object to apply, and how. */
interface Task extends ServerSideApply {
  readonly api: Api;
  readonly path: string;
  readonly manifest: ObjectBody;
}

/**
 * Applies an object. This manager takes over the fields that `kubectl apply` owns.
 * @returns the object as the cluster has it now
 * @throws {FieldConflictError}, {PreviewError}, or as {@linkcode Api.request} does
 */
export async function applyObject(api: Api, path: string, manifest: ObjectBody, options: ServerSideApply): Promise<ApiAnswer<LiveObject>> {
  const task: Task = { api, path, manifest, ...options };
  const answer = await sendOverConflicts(task).catch((error) => {
    if (!(error instanceof ApiError) || error.status !== 422) throw error;
    return sendOverKubectl(task, error);
  });
  if (task.dryRun) return { ...answer, body: await withRemovals(task, answer.body) };
  if (!await takeOver(task, answer.body, isPredecessor)) return answer;
  // Only this second request can remove what the manifest no longer has.
  return { ...answer, body: (await send(task)).body };
}

/** Applies, and resolves conflicts that are only with kubectl. */
async function sendOverConflicts(task: Task): Promise<ApiAnswer<LiveObject>> {
  const { api, path, fieldManager, dryRun, signal } = task;
  try {
    return await send(task);
  } catch (error) {
    const conflicts = fieldConflicts(error);
    if (conflicts.length === 0) throw error;
    const { body: live } = await api.get<LiveObject>(path, { signal });
    const yielding = (live.metadata.managedFields ?? []).filter((entry) => isKubectl(entry, fieldManager)).map(({ manager }) => manager);
    const foreign = conflicts.filter(({ manager }) => !yielding.includes(manager));
    if (foreign.length > 0) throw new FieldConflictError(foreign, { cause: error });
    if (!dryRun) await takeOver(task, live, isPredecessor);
    // A dry run moves nothing, and fields of kubectl create are taken one by one: nobody else owns those in conflict.
    const force = task.force || dryRun || conflicts.some(({ manager }) => manager === CREATE_MANAGER);
    return await send({ ...task, force });
  }
}

/**
 * Takes over everything that kubectl owns, and applies once more. The API server merges lists by their keys and keeps the items that others
 * own: port 80 of a Service, set by kubectl, stays next to port 81 of the manifest, and both are named http, which is invalid. The same
 * happens if a volume gets another type, or a probe another handler.
 */
async function sendOverKubectl(task: Task, refusal: ApiError): Promise<ApiAnswer<LiveObject>> {
  const { api, path, fieldManager, dryRun, signal } = task;
  const live = (await api.find<LiveObject>(path, { signal }))?.body;
  const before = live?.metadata.managedFields ?? [];
  if (!live || !before.some((entry) => isKubectl(entry, fieldManager))) throw refusal;
  if (dryRun) throw new PreviewError(refusal.message, { cause: refusal });
  await takeOver(task, live, isKubectl);
  return await send(task).catch(async (error) => {
    // The manifest itself is invalid, so kubectl gets its fields back.
    if (error instanceof ApiError) await changeManagers(task, live, (now) => withKubectlAgain(now, before, fieldManager)).catch(() => {});
    throw error;
  });
}

function send({ api, path, manifest, fieldManager, force, dryRun, validation, signal }: Task): Promise<ApiAnswer<LiveObject>> {
  return api.apply(path, manifest, {
    fieldManager,
    force,
    signal,
    query: { fieldValidation: validation, dryRun: dryRun ? "All" : undefined },
  });
}

/** The result of a dry run as it would be after fields were moved. */
async function withRemovals({ api, path, manifest, fieldManager, signal }: Task, object: LiveObject): Promise<LiveObject> {
  const left = withoutRemovedFields(object, fieldManager);
  if (left === undefined) return object;
  const { body } = await api.request<LiveObject>("PATCH", path, {
    contentType: "application/json-patch+json",
    body: replacing(object, left, manifest),
    query: { fieldManager, dryRun: "All" },
    signal,
  });
  return { ...body, metadata: { ...body.metadata, managedFields: left.metadata.managedFields ?? [] } };
}

/** Makes the applier the manager of what others own. @returns whether there was anything to take over */
function takeOver(task: Task, object: LiveObject, isOld: typeof isKubectl): Promise<boolean> {
  return changeManagers(task, object, (entries) => moveFields(entries, isOld, task.fieldManager));
}

/** Changes `managedFields`. @param change returns undefined if there is nothing to change @returns whether there was */
async function changeManagers(
  { api, path, fieldManager, signal }: Task,
  object: LiveObject,
  change: (entries: readonly ManagedFieldsEntry[]) => ManagedFieldsEntry[] | undefined,
): Promise<boolean> {
  let live = object;
  for (let tries = 1;; tries++) {
    const managedFields = change(live.metadata.managedFields ?? []);
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
