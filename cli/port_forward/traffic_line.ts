/**
 * The lines of `-v`: one for each request, or one for each connection whose requests kurun does not read.
 *
 *     TIME METHOD TARGET STATUS BYTES MS CALLER [NOTE]
 *     14:05:09 POST /mutate?timeout=10s 200 1.2kB 3.4ms 10.244.0.1:52069
 *
 * At most eight columns, separated by one space; only the last may contain spaces. `-` stands for what is unknown or absent. Bodies,
 * headers and credentials in the target are never shown.
 *
 * @module
 */

/** The contents of a line. */
export interface TrafficLine {
  /** The request's method; `h2`, `tcp`, `tls` or `upgraded` for a connection. */
  readonly method: string;
  /** As {@link shownTarget} shows it. */
  readonly target: string;
  readonly status: number | undefined;
  /** Bytes of the response body as sent, without chunk headers; for a connection, all bytes sent to the caller. */
  readonly bytes: number;
  /** From the first byte of the request to the last one of the response. */
  readonly ms: number;
  readonly caller: string;
  /** What went wrong; for a connection, also the bytes received. */
  readonly note?: string | undefined;
  readonly isConnection?: boolean;
  /** Whether something failed that the caller did not cause. */
  readonly isFault?: boolean;
}

/** Longer targets are cut. */
const MAX_TARGET_CHARACTERS = 300;
/** Names of query parameters whose values are hidden. */
const SECRET_NAME = /token|secret|pass|pwd|key|signature|credential|auth|jwt|^sig$/i;

/** The line without its time and its line end. */
export function formatTrafficLine({ method, target, status, bytes, ms, caller, note }: TrafficLine): string {
  const line = `${method} ${target} ${status ?? "-"} ${formatBytes(bytes)} ${formatMs(ms)} ${caller}`;
  return note ? `${line} ${note}` : line;
}

/**
 * A target that is safe to print: credentials and the values of query parameters with names like `token` become `…`, and everything but
 * printable ASCII becomes `?`, because it could be control codes of a terminal.
 */
export function shownTarget(target: string): string {
  const printable = target.replace(/[^\x21-\x7e]/g, "?");
  const noUser = printable.replace(/^([a-z][a-z0-9+.-]*:\/\/|(?!\/))[^/?#]*@/i, "$1…@");
  const query = noUser.indexOf("?");
  const shown = query < 0 ? noUser : `${noUser.slice(0, query + 1)}${noUser.slice(query + 1).replace(/[^&;]+/g, shownParameter)}`;
  return shown.length > MAX_TARGET_CHARACTERS ? `${shown.slice(0, MAX_TARGET_CHARACTERS)}…` : shown;
}

function shownParameter(parameter: string): string {
  const equals = parameter.indexOf("=");
  const [name = ""] = new URLSearchParams(parameter).keys();
  return equals >= 0 && SECRET_NAME.test(name) ? `${parameter.slice(0, equals)}=…` : parameter;
}

/** The last result: V8 takes 2 µs for each, a fifth of what a line of `-v` costs. */
let lastTime = { second: NaN, text: "" };

/** `14:05:09`, in this machine's time zone. */
export function timeOfDay(date: Date): string {
  const second = Math.floor(date.getTime() / 1000);
  if (second !== lastTime.second) lastTime = { second, text: date.toTimeString().slice(0, 8) };
  return lastTime.text;
}

/** `0B`, `999B`, `1.2kB`, `34MB`, `1.2GB`: powers of ten. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < 4) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)}${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

/** `0.3ms`, `3.4ms`, `120ms`, `65000ms`: always in milliseconds, so that lines can be compared and sorted. */
export function formatMs(ms: number): string {
  return `${ms < 99.95 ? ms.toFixed(1) : Math.round(ms)}ms`;
}

/** `10 s`, `3.1 s`: for sentences. */
export function formatSeconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
