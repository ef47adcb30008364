/**
 * What the server itself says to a caller when nobody else can: 503 or 502 with one sentence, in what the caller speaks.
 * Never with `Retry-After`: the API server's webhook client obeys it and waits its whole timeout (kubernetes 1.34: 10 s instead of 0.1).
 *
 * @module
 */

/** NO_ERROR (RFC 9113, 7): clients may try again what is above the last stream. */
const H2_NO_ERROR = 0;

const STATUS_TEXT: Readonly<Record<number, string>> = { 200: "OK", 502: "Bad Gateway", 503: "Service Unavailable" };

/** Whether a connection's first bytes are an HTTP/1 request's, as far as they go beyond its first line. */
export function looksLikeHttp1(first: Uint8Array): boolean {
  return /^[A-Z!#$%&'*+.^_`|~0-9a-z-]{1,32} [^\r\n]* HTTP\/1\.[01]\r?\n/.test(latin1(first.subarray(0, 8192)));
}

/** Whether a head says that its body is JSON, or that its sender takes JSON. */
export function isJsonRequest(head: Uint8Array): boolean {
  return /\n(?:content-type|accept):\s*application\/[a-z0-9.+-]*json/i.test(latin1(head));
}

/** An HTTP/1.1 answer: a `v1.Status` where the request is JSON (kubectl's user then reads the sentence), else a line of text. */
export function http1Answer(head: Uint8Array, status: 502 | 503, sentence: string): Uint8Array {
  const isJson = isJsonRequest(head);
  const reason = status === 503 ? "ServiceUnavailable" : "InternalError";
  const body = isJson
    ? JSON.stringify({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: sentence, reason, code: status })
    : `${sentence}\n`;
  return message(head, status, isJson ? "application/json" : "text/plain; charset=utf-8", body);
}

/** An HTTP/1.1 answer of 200 with JSON, after which the connection ends. */
export function http1Json(head: Uint8Array, json: string): Uint8Array {
  return message(head, 200, "application/json", json);
}

/** What {@link http2GoAway} says. */
export interface GoAway {
  /** For people; the frame's debug data. */
  readonly sentence: string;
  /** Streams up to this one may have been answered or acted on; clients may try again what is above it (RFC 9113, 6.8). */
  readonly lastStream: number;
  /** Whether it is the connection's first frame, before which SETTINGS must come. */
  readonly first: boolean;
}

/** HTTP/2's GOAWAY: no new streams. */
export function http2GoAway({ sentence, lastStream, first }: GoAway): Uint8Array {
  const text = new TextEncoder().encode(sentence);
  const settings = first ? [0, 0, 0, 4, 0, 0, 0, 0, 0] : [];
  const length = 8 + text.length;
  const header = [length >>> 16, length >>> 8 & 255, length & 255, 7, 0, 0, 0, 0, 0];
  const last = [lastStream >>> 24, lastStream >>> 16 & 255, lastStream >>> 8 & 255, lastStream & 255];
  return new Uint8Array([...settings, ...header, ...last, 0, 0, 0, H2_NO_ERROR, ...text]);
}

function message(head: Uint8Array, status: 200 | 502 | 503, type: string, body: string): Uint8Array {
  const bytes = new TextEncoder().encode(body);
  const answer = new TextEncoder().encode(
    `HTTP/1.1 ${status} ${STATUS_TEXT[status]}\r\nContent-Type: ${type}\r\n` +
      `Content-Length: ${bytes.length}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n`,
  );
  if (/^HEAD /.test(latin1(head.subarray(0, 5)))) return answer;
  const out = new Uint8Array(answer.length + bytes.length);
  out.set(answer);
  out.set(bytes, answer.length);
  return out;
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return text;
}
