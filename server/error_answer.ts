/**
 * What the server itself says to a caller when nobody else can: 503 or 502 with one sentence. The caller's first bytes decide how.
 * Never with `Retry-After`: the API server's webhook client obeys it and waits its whole timeout (kubernetes 1.34: 10 s instead of 0.1).
 *
 * @module
 */

/** What a caller speaks, by its first bytes. */
export type CallerProtocol = "http1" | "http2" | "other";

/** The start of an HTTP/2 connection (RFC 9113, 3.4). */
const H2_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** GOAWAY with NO_ERROR and last stream 0: nothing was processed, clients may try again (RFC 9113, 6.8). */
const H2_NO_ERROR = 0;

const STATUS_TEXT: Readonly<Record<number, string>> = { 502: "Bad Gateway", 503: "Service Unavailable" };

/** Tells what a caller speaks; `other` also for a start too short to tell. */
export function callerProtocol(head: Uint8Array): CallerProtocol {
  const text = latin1(head.subarray(0, 8192));
  if (text.startsWith(H2_PREFACE.slice(0, 14))) return "http2";
  return /^[A-Z!#$%&'*+.^_`|~0-9a-z-]{1,32} [^\r\n]* HTTP\/1\.[01]\r?\n/.test(text) ? "http1" : "other";
}

/**
 * Bytes of an HTTP/1 request that are still to come; Infinity where that cannot be known.
 * @param head its first bytes
 * @param received how many bytes have arrived, which may be more than `head`
 */
export function requestRest(head: Uint8Array, received: number): number {
  const text = latin1(head);
  const end = text.search(/\r?\n\r?\n/);
  if (end < 0) return Infinity;
  const headers = text.slice(0, end);
  const bodyStart = end + (text[end] === "\r" ? 4 : 2);
  if (/\nexpect:\s*100-continue/i.test(headers)) return 0;
  if (/\ntransfer-encoding:[^\n]*chunked/i.test(headers)) return text.endsWith("0\r\n\r\n") && text.length > bodyStart ? 0 : Infinity;
  const length = /\ncontent-length:\s*(\d{1,15})/i.exec(headers);
  return length ? Math.max(0, bodyStart + Number(length[1]) - received) : 0;
}

/** An HTTP/1.1 answer: a `v1.Status` where the request is JSON (kubectl's user then reads the sentence), else a line of text. */
export function http1Answer(head: Uint8Array, status: 502 | 503, sentence: string): Uint8Array {
  const isJson = /\n(?:content-type|accept):\s*application\/[a-z0-9.+-]*json/i.test(latin1(head));
  const reason = status === 503 ? "ServiceUnavailable" : "InternalError";
  const body = isJson
    ? JSON.stringify({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: sentence, reason, code: status })
    : `${sentence}\n`;
  const bytes = new TextEncoder().encode(body);
  const answer = new TextEncoder().encode(
    `HTTP/1.1 ${status} ${STATUS_TEXT[status]}\r\n` +
      `Content-Type: ${isJson ? "application/json" : "text/plain; charset=utf-8"}\r\n` +
      `Content-Length: ${bytes.length}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n`,
  );
  if (/^HEAD /.test(latin1(head.subarray(0, 5)))) return answer;
  const out = new Uint8Array(answer.length + bytes.length);
  out.set(answer);
  out.set(bytes, answer.length);
  return out;
}

/** An HTTP/2 server's preface and a GOAWAY whose debug data is the sentence. */
export function http2Goodbye(sentence: string): Uint8Array {
  const text = new TextEncoder().encode(sentence);
  const settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
  const length = 8 + text.length;
  const goAway = [length >>> 16, length >>> 8 & 255, length & 255, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, H2_NO_ERROR];
  return new Uint8Array([...settings, ...goAway, ...text]);
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return text;
}
