import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import type { Secret } from "../../api/kubernetes_objects.ts";

const KEY_BYTES = 32;

/**
 * Reads the key of an existing session from its Secret.
 *
 * @returns 32 bytes; undefined if the Secret is gone or may not be read
 * @throws as {@linkcode Api.get} does, except for 403 and 404
 */
export async function readSessionKey(api: Api, namespace: string, session: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    const { body: { data } } = await api.get<Secret>(`/api/v1/namespaces/${namespace}/secrets/${session}`, { signal });
    const key = Uint8Array.from(atob(data?.key ?? ""), (character) => character.charCodeAt(0));
    return key.length === KEY_BYTES ? key : undefined;
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return undefined;
    throw error;
  }
}
