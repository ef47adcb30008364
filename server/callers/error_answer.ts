/**
 * The server's own HTTP/1 answers for when nobody else can answer: 503 or 502 with one sentence.
 * Never with `Retry-After`: the API server's webhook client obeys it and waits its whole timeout (Kubernetes 1.34: 10 s instead of 0.1).
 *
 * @module
 */
import { concat } from "../../tunnel/bytes.ts";

const TEXT = "text/plain; charset=utf-8";
const STATUS_TEXT: Readonly<Record<number, string>> = { 200: "OK", 502: "Bad Gateway", 503: "Service Unavailable" };

/** What the form of an answer depends on in its request. */
export interface AskedHow {
  readonly method: string;
  /** Whether its body is JSON, or its sender accepts JSON. */
  readonly isJson: boolean;
}

/** What a connection's first bytes reveal, where they hold an HTTP/1 request's first line but not a head that can be read. */
export function guessHowAsked(first: Uint8Array): AskedHow | undefined {
  const text = new TextDecoder("latin1").decode(first);
  const method = /^([A-Z!#$%&'*+.^_`|~0-9a-z-]{1,32}) [^\r\n]* HTTP\/1\.[01]\r?\n/.exec(text)?.[1];
  return method === undefined ? undefined : { method, isJson: /\n(?:content-type|accept):\s*application\/[a-z0-9.+-]*json/i.test(text) };
}

/** An HTTP/1.1 answer: a `v1.Status` where the request is JSON, so that kubectl shows the sentence, else a line of text. */
export function http1Answer(asked: AskedHow, status: 502 | 503, sentence: string): Uint8Array {
  const reason = status === 503 ? "ServiceUnavailable" : "InternalError";
  const body = asked.isJson
    ? JSON.stringify({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: sentence, reason, code: status })
    : `${sentence}\n`;
  return message(asked, status, asked.isJson ? "application/json" : TEXT, body);
}

/** An HTTP/1.1 answer of 200 with JSON, after which the connection ends. */
export function http1Json(asked: AskedHow, json: string): Uint8Array {
  return message(asked, 200, "application/json", json);
}

function message({ method }: AskedHow, status: 200 | 502 | 503, type: string, body: string): Uint8Array {
  const bytes = new TextEncoder().encode(body);
  const answer = new TextEncoder().encode(
    `HTTP/1.1 ${status} ${STATUS_TEXT[status]}\r\nContent-Type: ${type}\r\n` +
      `Content-Length: ${bytes.length}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n`,
  );
  if (method === "HEAD") return answer;
  return concat(answer, bytes);
}
