/**
 * The C library's calls that start programs. Deno itself has no terminals and no process groups, and cannot signal a group.
 * Linux and glibc, as in the image.
 *
 * @module
 */

/** Constants of Linux (fcntl.h and others), the same on amd64 and arm64. */
export const Linux = {
  O_RDONLY: 0,
  O_RDWR: 2,
  O_NOCTTY: 0o400,
  O_CLOEXEC: 0o2000000,
  TIOCSWINSZ: 0x5414,
  WNOHANG: 1,
  POSIX_SPAWN_SETSIGDEF: 0x04,
  POSIX_SPAWN_SETSIGMASK: 0x08,
  POSIX_SPAWN_SETSID: 0x80,
} as const;

const SYMBOLS = {
  posix_openpt: { parameters: ["i32"], result: "i32" },
  grantpt: { parameters: ["i32"], result: "i32" },
  unlockpt: { parameters: ["i32"], result: "i32" },
  ptsname_r: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  pipe2: { parameters: ["buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  kill: { parameters: ["i32", "i32"], result: "i32" },
  strerror: { parameters: ["i32"], result: "pointer" },
  sigfillset: { parameters: ["buffer"], result: "i32" },
  sigemptyset: { parameters: ["buffer"], result: "i32" },
  posix_spawn: { parameters: ["buffer", "buffer", "buffer", "buffer", "buffer", "buffer"], result: "i32" },
  posix_spawn_file_actions_init: { parameters: ["buffer"], result: "i32" },
  posix_spawn_file_actions_destroy: { parameters: ["buffer"], result: "i32" },
  posix_spawn_file_actions_addopen: { parameters: ["buffer", "i32", "buffer", "i32", "u32"], result: "i32" },
  posix_spawn_file_actions_adddup2: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  posix_spawn_file_actions_addchdir_np: { parameters: ["buffer", "buffer"], result: "i32" },
  posix_spawnattr_init: { parameters: ["buffer"], result: "i32" },
  posix_spawnattr_destroy: { parameters: ["buffer"], result: "i32" },
  posix_spawnattr_setflags: { parameters: ["buffer", "i16"], result: "i32" },
  posix_spawnattr_setsigdefault: { parameters: ["buffer", "buffer"], result: "i32" },
  posix_spawnattr_setsigmask: { parameters: ["buffer", "buffer"], result: "i32" },
  waitpid: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  // These block, each on its own thread.
  read: { parameters: ["i32", "buffer", "usize"], result: "isize", nonblocking: true },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize", nonblocking: true },
} as const;

let library: Deno.DynamicLibrary<typeof SYMBOLS> | undefined;

/** The calls. @throws where there is no glibc */
export function libc(): Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] {
  library ??= Deno.dlopen("libc.so.6", SYMBOLS);
  return library.symbols;
}

/** A C string: UTF-8, ended by a zero. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** The C library's text for an error number. */
export function errorText(number: number): string {
  const text = libc().strerror(number);
  return text === null ? `error ${number}` : Deno.UnsafePointerView.getCString(text);
}

/**
 * A list such as `argv` and `environ`: addresses of C strings, and a zero.
 * @returns the list, and its texts; use these after the call, or the garbage collector may free them before
 */
export function cStrings(strings: readonly string[]): { list: Uint8Array<ArrayBuffer>; texts: readonly Uint8Array[] } {
  const texts = strings.map(cString);
  const addresses = new BigUint64Array(texts.length + 1);
  texts.forEach((text, at) => addresses[at] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(text)));
  return { list: new Uint8Array(addresses.buffer), texts };
}
