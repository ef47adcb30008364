import { concat } from "../../tunnel/bytes.ts";
import { Http1Error, type RequestHead, textOf } from "../../tunnel/http1/head.ts";

/** Changes to a request's head on its way to the local program. */
export interface Rewrite {
  /** Precedes each path, such as `/api`: it begins with a slash and does not end with one, or is empty. */
  readonly prefix: string;
  /** The new Host; undefined keeps the caller's. */
  readonly host?: string | undefined;
}

const encoder = new TextEncoder();

/** Bytes to put in place of those from `start` to `end`. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly insert: Uint8Array;
}

/**
 * Makes a head with another path and Host; every other byte stays.
 * @param head was read from `bytes`, where it lies from `start` to `end`
 * @throws Http1Error where it is not clear which host or path is meant
 */
export function rewriteHead(head: RequestHead, bytes: Uint8Array, start: number, end: number, rewrite: Rewrite): Uint8Array {
  checkHost(bytes, head);
  return applyEdits(bytes, start, end, [...targetEdits(bytes, head, rewrite), ...hostEdits(head, rewrite)]);
}

/** RFC 9112, 3.2: an HTTP/1.1 request without Host, with several, or with one that is not a host is answered with 400. */
function checkHost(bytes: Uint8Array, { hosts, minor }: RequestHead): void {
  if (hosts.length > 1) throw new Http1Error("it has more than one Host");
  const [host] = hosts;
  if (!host && minor > 0) throw new Http1Error("it has no Host");
  if (host && !/^[^\s,@/\\?#]*$/.test(textOf(bytes, host))) {
    throw new Http1Error("its Host is not a host");
  }
}

function targetEdits(bytes: Uint8Array, { method, targetSpan }: RequestHead, { prefix, host }: Rewrite): Edit[] {
  const { start } = targetSpan;
  const target = textOf(bytes, targetSpan);
  if (method === "CONNECT" || target === "*") return [];
  if (target.startsWith("/")) return [{ start, end: start, insert: encoder.encode(prefix) }];
  const absolute = /^(https?:\/\/)([^/?#]+)(?=[/?#]|$)/i.exec(target);
  if (!absolute) throw new Http1Error("its target is neither a path nor a URL");
  const [{ length }, scheme = "", authority = ""] = absolute;
  const end = start + length;
  return [
    // The authority counts and the Host header does not (RFC 9112, 3.2.2): afterwards both say the same.
    ...(host === undefined
      ? []
      : [{ start: start + scheme.length, end: start + scheme.length + authority.length, insert: encoder.encode(host) }]),
    { start: end, end, insert: encoder.encode(prefix) },
  ];
}

function hostEdits({ hosts: [span], headersStart }: RequestHead, { host }: Rewrite): Edit[] {
  if (host === undefined) return [];
  if (span) return [{ ...span, insert: encoder.encode(host) }];
  return [{ start: headersStart, end: headersStart, insert: encoder.encode(`Host: ${host}\r\n`) }];
}

/** @param edits in the order of their places */
function applyEdits(bytes: Uint8Array, start: number, end: number, edits: readonly Edit[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let from = start;
  for (const edit of edits) {
    parts.push(bytes.subarray(from, edit.start), edit.insert);
    from = edit.end;
  }
  return concat(...parts, bytes.subarray(from, end));
}
