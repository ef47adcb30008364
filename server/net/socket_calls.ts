/** The C library's calls on sockets, for what Deno cannot do with its own: Linux and glibc, as in the image. @module */

/** Constants of <sys/socket.h>, <netinet/in.h> and <netinet/tcp.h> of Linux, the same on amd64 and arm64. */
export const Socket = {
  AF_INET: 2,
  AF_INET6: 10,
  SOL_SOCKET: 1,
  SO_KEEPALIVE: 9,
  SO_LINGER: 13,
  SO_ACCEPTCONN: 30,
  SO_ATTACH_REUSEPORT_CBPF: 51,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  TCP_KEEPIDLE: 4,
  TCP_INFO: 11,
  /** A state in the first byte of TCP_INFO. */
  TCP_CLOSE: 7,
  MSG_PEEK: 0x2,
  MSG_DONTWAIT: 0x40,
  MSG_NOSIGNAL: 0x4000,
  SHUT_WR: 1,
  SHUT_RDWR: 2,
} as const;

const SYMBOLS = {
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  // Their results have 64 bits, of which a small size, or -1, needs 32.
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
} as const;

/** The calls. */
export type SocketCalls = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

let library: Deno.DynamicLibrary<typeof SYMBOLS> | undefined;

/** Loads the calls, which takes the permission for FFI the first time. @throws where there is no glibc */
export function socketCalls(): SocketCalls {
  library ??= Deno.dlopen("libc.so.6", SYMBOLS);
  return library.symbols;
}

/** Sets an option of 32-bit numbers. Files for which there is none refuse it, and stay as they are. */
export function setOption(calls: SocketCalls, file: number, level: number, option: number, ...values: number[]): void {
  const bytes = new Uint8Array(new Int32Array(values).buffer);
  calls.setsockopt(file, level, option, bytes, bytes.length);
}
