/**
 * The API server's watch stream: one JSON object a line.
 *
 * @module
 */

/** A change that a watch tells. */
export interface WatchEvent {
  /** `ERROR` brings a Status, after which the stream ends; `BOOKMARK` only a resourceVersion. */
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: Record<string, unknown>;
}

/** An event longer than this ends the watch, in characters. etcd takes 1.5 MB for an object. */
const MAX_EVENT = 16 * 1024 * 1024;

/**
 * Decodes a watch's body. A last line that was cut off is dropped: its event comes again with the next watch.
 *
 * @throws {SyntaxError} when a whole line is no event.
 */
export async function* watchEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<WatchEvent> {
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
      if (line.trim() !== "") yield parseEvent(line);
    }
    rest.push(text.slice(start));
    size += text.length - start;
    if (size > MAX_EVENT) throw new SyntaxError(`Cannot decode a watch event: it is longer than ${MAX_EVENT} characters`);
  }
}

function parseEvent(line: string): WatchEvent {
  const event = JSON.parse(line);
  if (typeof event?.type !== "string" || typeof event.object !== "object" || event.object === null) {
    throw new SyntaxError(`Cannot decode a watch event: ${line.slice(0, 100)}`);
  }
  return event;
}
