import { type Api, METADATA_LIST_ONLY } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import type { Definition } from "../api/kubernetes_objects.ts";
import { sleep } from "../api/sleep.ts";
import { changeObject } from "./change_object.ts";
import { type Conversion, conversionRecord, type ConversionTarget, definitionPath, servingPatch } from "./conversion.ts";
import type { ServedConversion } from "./find_configurations.ts";
import type { HookSession } from "./guard.ts";
import { removeMark } from "./remove_leftovers.ts";
import type { SessionMark } from "./session_marks.ts";

/** Another session answers a definition's conversions. No filter can share them. */
export class ConversionTakenError extends Error {
  override readonly name = "ConversionTakenError";

  constructor(readonly definition: string, readonly session: HookSession) {
    super(`session ${session.name} in namespace ${session.namespace} answers the conversions of ${definition}`);
  }
}

/** By definition, the fields of its conversion that somebody else has changed and that stay as they are. */
export type KeptFields = ReadonlyMap<string, readonly string[]>;

/**
 * The API server follows a definition within milliseconds, and then waits a second for requests that have begun with the old one
 * (crdHandler.tearDown); several API servers follow one after the other.
 */
const FOLLOWS_WITHIN_MS = 1_000;

/**
 * Makes the API server call a session for the conversions of definitions: of all, or of none if one cannot be changed. They are put back by
 * {@linkcode putConversionsBack}, whoever ends the session.
 * @throws {ConversionTakenError} if another session has one; also as {@linkcode Api.jsonPatch} does
 */
export async function serveConversions(
  api: Api,
  target: ConversionTarget,
  served: readonly ServedConversion[],
  signal: AbortSignal,
): Promise<void> {
  const results = await Promise.allSettled(served.map((one) => serveOne(api, target, one, signal)));
  const { namespace, name } = target.plan;
  const marks = served.map(({ original: { metadata: { name: definition, uid } } }): SessionMark => {
    return { session: { namespace, name }, is: "conversion", kind: "CustomResourceDefinition", name: definition, uid };
  });
  const failed = results.find((result) => result.status === "rejected");
  if (!failed) return;
  // Those whose patch was refused are not marked, and are left alone.
  await putConversionsBack(api, marks).catch(() => {});
  throw failed.reason;
}

/** How many objects a definition has. @returns undefined if they cannot be counted */
export async function countObjects(
  api: Api,
  { spec: { group, names, versions } }: Definition,
  signal: AbortSignal,
): Promise<number | undefined> {
  const path = `/apis/${group}/${versions.find(({ storage }) => storage)?.name}/${names.plural}`;
  try {
    const { body } = await api.get<{ items?: unknown[]; metadata?: { remainingItemCount?: number } }>(path, {
      query: { limit: 1 },
      accept: METADATA_LIST_ONLY,
      signal,
    });
    return (body.items?.length ?? 0) + (body.metadata?.remainingItemCount ?? 0);
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

async function serveOne(
  api: Api,
  target: ConversionTarget,
  { definition: { metadata: { name }, spec: { conversion } } }: ServedConversion,
  signal: AbortSignal,
): Promise<void> {
  await changeObject<Definition>(api, definitionPath(name), (definition) => {
    const session = conversionRecord(definition.metadata)?.session;
    if (session) throw new ConversionTakenError(name, session);
    return servingPatch(definition, conversion as Conversion, target);
  }, signal);
}

/**
 * Puts conversions back, and waits until the API server has followed: the session must answer until then.
 * @throws the first refusal, after all others were put back
 */
export async function putConversionsBack(api: Api, marks: readonly SessionMark[], signal?: AbortSignal): Promise<KeptFields> {
  const kept = new Map<string, readonly string[]>();
  const results = await Promise.allSettled(marks.map(async (mark) => {
    const fields = await removeMark(api, mark, signal);
    if (fields.length > 0) kept.set(mark.name, fields);
  }));
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  if (marks.length > 0) await sleep(FOLLOWS_WITHIN_MS, signal);
  return kept;
}
