import { Http1Error, type RequestHead, textOf } from "../../tunnel/http1/head.ts";

/** What is changed in a request's head on its way to the program here. */
export interface Rewrite {
  /** What comes before each path, as `/api`: begins with a slash and does not end with one; empty for nothing. */
  readonly prefix: string;
  /** What Host becomes; undefined to leave it. */
  readonly host?: string | undefined;
}

/** What a rewriter needs to know of the upstream's URL; undefined where there is nothing to change. @param path the URL's, as `/api/` */
export function rewriteFor(path: string | undefined, host: string | undefined): Rewrite | undefined {
  const prefix = (path ?? "").replace(/\/+$/, "");
  return prefix === "" && host === undefined ? undefined : { prefix, host };
}

const encoder = new TextEncoder();

/** Bytes to put in place of those from `start` to `end`. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly insert: Uint8Array;
}

/**
 * A head with another path and Host; every other byte stays.
 * @param bytes the head that `head` was read from
 * @throws Http1Error where it is not clear which host or path is meant
 */
export function rewriteHead(bytes: Uint8Array, head: RequestHead, rewrite: Rewrite): Uint8Array {
  checkHost(bytes, head);
  return applyEdits(bytes, [...targetEdits(bytes, head, rewrite), ...hostEdits(head, rewrite)]);
}

/** RFC 9112, 3.2: no Host in HTTP/1.1, more than one, or one that is no host is a 400. */
function checkHost(bytes: Uint8Array, { hosts, minor }: RequestHead): void {
  if (hosts.length > 1) throw new Http1Error("it has more than one Host");
  const [host] = hosts;
  if (!host && minor > 0) throw new Http1Error("it has no Host");
  if (host && !/^[^\s,@/\\?#]*$/.test(textOf(bytes, host))) {
    throw new Http1Error("its Host is no host");
  }
}

function targetEdits(bytes: Uint8Array, { method, targetSpan }: RequestHead, { prefix, host }: Rewrite): Edit[] {
  const { start } = targetSpan;
  const target = textOf(bytes, targetSpan);
  if (method === "CONNECT" || target === "*") return [];
  if (target.startsWith("/")) return [{ start, end: start, insert: encoder.encode(prefix) }];
  const absolute = /^(https?:\/\/)([^/?#]+)(?=[/?#]|$)/i.exec(target);
  if (!absolute) throw new Http1Error("its target is neither a path nor a URL");
  const [{ length }, scheme, authority] = absolute as unknown as [string, string, string];
  const end = start + length;
  return [
    // The authority counts, not the Host header (RFC 9112, 3.2.2): both say the same afterwards.
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
function applyEdits(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const size = edits.reduce((sum, { start, end, insert }) => sum + insert.length - (end - start), bytes.length);
  const out = new Uint8Array(size);
  let from = 0;
  let to = 0;
  const put = (part: Uint8Array) => {
    out.set(part, to);
    to += part.length;
  };
  for (const { start, end, insert } of edits) {
    put(bytes.subarray(from, start));
    put(insert);
    from = end;
  }
  put(bytes.subarray(from));
  return out;
}
