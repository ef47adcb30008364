import { type Api, FIELD_MANAGER, type PatchOperation } from "../api/api.ts";
import type { Definition } from "../api/kubernetes_objects.ts";
import { deleteIfSame } from "../session/owner/remove_session.ts";
import { changeObject } from "./change_object.ts";
import { conversionRecord, definitionPath, restoringPatch } from "./conversion.ts";
import { include } from "./exclude_from_original.ts";
import { conditionName, type HookSession } from "./guard.ts";
import { hookPath } from "./hook_configuration.ts";
import type { SessionMark } from "./session_marks.ts";

/**
 * Removes what a webhook session put into the cluster outside its namespace, and nothing else: whatever somebody else has changed since
 * stays. It is not an error if it is already gone.
 * @returns the fields of a conversion that stay as somebody else changed them
 * @throws as {@linkcode Api.request} does
 */
export async function removeMark(
  api: Api,
  { is, kind, name, uid, session }: SessionMark,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  if (kind === "CustomResourceDefinition") return await putConversionBack(api, name, session, signal);
  if (is === "copy") await deleteIfSame(api, hookPath(kind, name), { uid }, signal);
  else await include(api, { kind, name }, conditionName(session), signal);
  return [];
}

async function putConversionBack(
  api: Api,
  name: string,
  session: HookSession,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  let kept: readonly string[] | undefined;
  await changeObject<Definition>(api, definitionPath(name), (definition) => {
    const record = conversionRecord(definition.metadata);
    if (record?.session.name !== session.name || record.session.namespace !== session.namespace) return [];
    const restoring = restoringPatch(definition, record);
    kept = restoring.kept;
    return restoring.patch;
  }, signal);
  // The next server-side apply of the definition would conflict with the fields that kurun put back.
  if (kept) await changeObject<Definition>(api, definitionPath(name), withoutOwnership, signal);
  return kept ?? [];
}

function withoutOwnership({ metadata: { managedFields = [] } }: Definition): PatchOperation[] {
  const at = managedFields.findIndex(({ manager, operation }) => manager === FIELD_MANAGER && operation === "Update");
  return at < 0 ? [] : [{ op: "remove", path: `/metadata/managedFields/${at}` }];
}
