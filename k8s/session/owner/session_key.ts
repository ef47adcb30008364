import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";

const KEY_BYTES = 32;

/** The key of a session that is there already, 32 bytes, out of its Secret. @returns undefined where that is gone or may not be read */
export async function readSessionKey(api: Api, namespace: string, session: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    const { data } = (await api.get(`/api/v1/namespaces/${namespace}/secrets/${session}`, { signal })).body as {
      data?: Record<string, string>;
    };
    const key = Uint8Array.from(atob(data?.key ?? ""), (character) => character.charCodeAt(0));
    return key.length === KEY_BYTES ? key : undefined;
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return undefined;
    throw error;
  }
}
