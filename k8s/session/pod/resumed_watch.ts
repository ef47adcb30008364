import type { Api } from "../../api/api.ts";
import { ApiError, mayPass } from "../../api/api_error.ts";
import type { Live } from "../../api/kubernetes_objects.ts";
import type { Query } from "../../api/request_sender.ts";
import { sleep } from "../../api/sleep.ts";
import type { WatchEvent } from "../../api/watch.ts";

/** Between a watch that ended and the next one. */
const RETRY_MS = 500;
/** Additional wait after a watch that was refused. */
const REFUSED_MS = 2_000;

/**
 * Watches a collection until aborted. The next watch resumes where one ended: an object that disappears between two watches would be in
 * neither. Bookmarks keep the version from expiring.
 * @param onRestart is called when the version has expired: what disappeared meanwhile is in no event, and the rest comes again
 * @throws {ApiError} if the API server refuses the first watch; the signal's reason if it is aborted
 */
export async function* resumedWatch<T extends Live>(
  api: Api,
  path: string,
  query: Query,
  signal: AbortSignal,
  onRestart: () => void = () => {},
): AsyncGenerator<Exclude<WatchEvent<T>, { type: "BOOKMARK" | "ERROR" }>> {
  let begun = false;
  let resourceVersion: string | undefined;
  for (;; await sleep(RETRY_MS, signal)) {
    try {
      for await (const event of api.watch<T>(path, { query: { ...query, allowWatchBookmarks: true, resourceVersion }, signal })) {
        resourceVersion = event.type === "ERROR" ? undefined : event.object.metadata.resourceVersion;
        if (event.type === "ERROR") onRestart();
        if (event.type === "ERROR" || event.type === "BOOKMARK") continue;
        begun = true;
        yield event;
      }
    } catch (error) {
      signal.throwIfAborted();
      const status = error instanceof ApiError ? error.status : undefined;
      // 410: that version has expired.
      if (status === 410) {
        resourceVersion = undefined;
        onRestart();
      } // 403: an API server that starts refuses for a moment. If the right is gone for good, the session's own renewal reports it.
      else if (status === 403 && begun) await sleep(REFUSED_MS, signal);
      else if (!mayPass(error)) throw error;
    }
  }
}
