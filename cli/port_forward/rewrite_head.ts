import { concat } from "../../tunnel/bytes.ts";
import { Http1Error, type RequestHead, textOf } from "../../tunnel/http1/head.ts";

/** Changes to a request's head on its way to the local program. */
export interface Rewrite {
  /** Precedes each path, such as `/api`: it begins with a slash and does not end with one, or is empty. */
  readonly prefix: string;
  /** The new Host; undefined keeps the caller's. */
  readonly host?: string | undefined;
}

/** Text to put in place of the bytes from `start` to `end`. */
type Edit = readonly [start: number, end: number, insert: string];

/**
 * Makes a head with another path and Host; every other byte stays.
 * @param head was read from `bytes`, where it lies from `start` to `end`
 * @throws Http1Error if it is not clear which host or path is meant
 */
export function rewriteHead(head: RequestHead, bytes: Uint8Array, start: number, end: number, rewrite: Rewrite): Uint8Array {
  checkHost(bytes, head);
  const parts: Uint8Array[] = [];
  let from = start;
  for (const [at, to, insert] of [...targetEdits(bytes, head, rewrite), ...hostEdits(head, rewrite)]) {
    parts.push(bytes.subarray(from, at), new TextEncoder().encode(insert));
    from = to;
  }
  return concat(...parts, bytes.subarray(from, end));
}

/** RFC 9112, 3.2: an HTTP/1.1 request without Host, with several, or with one that is not a host is answered with 400. */
function checkHost(bytes: Uint8Array, { hosts, minor }: RequestHead): void {
  const [host] = hosts;
  if (hosts.length > 1) throw new Http1Error("it has more than one Host");
  if (!host && minor > 0) throw new Http1Error("it has no Host");
  if (host && !/^[^\s,@/\\?#]*$/.test(textOf(bytes, host))) throw new Http1Error("its Host is not a host");
}

function targetEdits(bytes: Uint8Array, { method, targetSpan }: RequestHead, { prefix, host }: Rewrite): Edit[] {
  const { start } = targetSpan;
  const target = textOf(bytes, targetSpan);
  if (method === "CONNECT" || target === "*") return [];
  if (target.startsWith("/")) return [[start, start, prefix]];
  const absolute = /^(https?:\/\/)([^/?#]+)(?=[/?#]|$)/i.exec(target);
  if (!absolute) throw new Http1Error("its target is neither a path nor a URL");
  const [{ length }, scheme = ""] = absolute;
  const end = start + length;
  // The authority counts and the Host header does not (RFC 9112, 3.2.2): afterwards both say the same.
  return [...(host === undefined ? [] : [[start + scheme.length, end, host] as const]), [end, end, prefix]];
}

function hostEdits({ hosts: [span], headersStart }: RequestHead, { host }: Rewrite): Edit[] {
  if (host === undefined) return [];
  return span ? [[span.start, span.end, host]] : [[headersStart, headersStart, `Host: ${host}\r\n`]];
}
