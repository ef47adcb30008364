/**
 * Turns Nagle's delay off for connections of `Deno.connectTls`, which has no option for it (Deno 2.9.6), by the C library. Without that a
 * small frame behind another waits for a delayed acknowledgement of up to 40 ms: a body of 50 MB came at 14 MB/s instead of 125.
 *
 * @module
 */

const LIBRARY: Readonly<Record<string, string>> = { linux: "libc.so.6", darwin: "libSystem.B.dylib" };
/** <netinet/in.h> and <netinet/tcp.h>, the same on Linux and macOS. */
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
/** Of the open files, the connection is one of the first: its number was free. A thousand callers take a thousand. */
const MAX_FILES = 4_096;
const SYMBOLS = { setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" } } as const;

let loaded: { setsockopt(file: number, level: number, option: number, value: Uint8Array, size: number): number } | undefined | null = null;

/** Whether {@link turnDelayOff} works: not on Windows, where the C library is another one, and not without the permission for FFI. */
export function canTurnDelayOff(): boolean {
  if (loaded === null) loaded = load();
  return loaded !== undefined;
}

/** Turns the delay off for all TCP connections of this process: none of them wants it, and Deno does not tell which file a connection is. */
export function turnDelayOff(): void {
  const one = new Uint8Array(new Int32Array([1]).buffer);
  // Other files refuse the option, and stay as they are.
  for (let file = 0; file < MAX_FILES; file++) loaded?.setsockopt(file, IPPROTO_TCP, TCP_NODELAY, one, one.length);
}

function load() {
  const library = LIBRARY[Deno.build.os];
  if (library === undefined || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  try {
    return Deno.dlopen(library, SYMBOLS).symbols;
  } catch {
    return undefined;
  }
}
