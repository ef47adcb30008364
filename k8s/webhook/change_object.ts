import type { Api, PatchOperation } from "../api/api.ts";
import { ApiError } from "../api/api_error.ts";
import type { LiveMetadata } from "../api/kubernetes_objects.ts";
import { sleep } from "../api/sleep.ts";

/** Attempts for an object that others change at the same time. */
const MAX_TRIES = 8;
/** The pause before the second attempt, in milliseconds; it doubles. */
const RETRY_MS = 50;

/**
 * Changes an object, but never one that somebody else has changed since it was read: then it is read again.
 * @param steps the patch of what was read; empty if there is nothing to do
 * @returns the object as it is afterwards; undefined if it does not exist
 * @throws as {@linkcode Api.jsonPatch} does
 */
export async function changeObject<T extends { readonly metadata: LiveMetadata }>(
  api: Api,
  path: string,
  steps: (found: T) => readonly PatchOperation[],
  signal?: AbortSignal,
): Promise<T | undefined> {
  let refused: { version: string | undefined; error: unknown } | undefined;
  for (let tries = 1;; tries++) {
    const found = (await api.find<T>(path, { signal }))?.body;
    if (!found || found.metadata.deletionTimestamp) return undefined;
    const wanted = steps(found);
    if (wanted.length === 0) return found;
    const version = found.metadata.resourceVersion;
    // Nobody has changed it, so the change itself is refused.
    if (refused?.version === version && refused) throw refused.error;
    try {
      const seen: PatchOperation = { op: "test", path: "/metadata/resourceVersion", value: version };
      return (await api.jsonPatch<T>(path, [seen, ...wanted], { signal })).body;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404) return undefined;
      // A test that fails is answered 422 (Invalid), and a change between the test and the write 409.
      if (![409, 422].includes(error.status) || tries === MAX_TRIES) throw error;
      refused = { version, error };
    }
    await sleep(RETRY_MS * 2 ** (tries - 1), signal);
  }
}
