import type { Status } from "./kubernetes_objects.ts";

/** One event of a watch. */
export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  /** Carries only the version that the watch has reached. */
  | { readonly type: "BOOKMARK"; readonly object: { readonly metadata: { readonly resourceVersion?: string } } }
  /** The stream ends after it. */
  | { readonly type: "ERROR"; readonly object: Status };

/** A longer event ends the watch, in characters. etcd accepts 1.5 MB for an object. */
const MAX_EVENT = 16 * 1024 * 1024;

/**
 * Decodes the body of a watch: one JSON object per line. A last line that was cut off is dropped: the next watch sends its event again.
 * @throws {SyntaxError} if a complete line is not an event
 */
export async function* watchEvents<T>(body: AsyncIterable<Uint8Array>): AsyncGenerator<WatchEvent<T>> {
  const decoder = new TextDecoder();
  let rest: string[] = [];
  let size = 0;
  for await (const chunk of body) {
    const text = decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      const line = rest.join("") + text.slice(start, end);
      start = end + 1;
      rest = [];
      size = 0;
      if (line.trim() !== "") yield parseEvent<T>(line);
    }
    rest.push(text.slice(start));
    size += text.length - start;
    if (size > MAX_EVENT) throw new SyntaxError(`Cannot decode a watch event: it is longer than ${MAX_EVENT} characters`);
  }
}

function parseEvent<T>(line: string): WatchEvent<T> {
  const event = JSON.parse(line);
  if (typeof event?.type !== "string" || typeof event.object !== "object" || event.object === null) {
    throw new SyntaxError(`Cannot decode a watch event: ${line.slice(0, 100)}`);
  }
  return event;
}
