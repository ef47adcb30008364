/**
 * What Deno cannot do with the connections that `Deno.listenTls` accepts, by the C library (Linux and glibc, as in the image):
 *
 * - TCP_NODELAY. Without it, a small frame behind another waits for the other side's delayed acknowledgement, 40 ms. Accepted connections
 *   inherit it from the listening socket.
 * - A connection whose TLS handshake is unfinished stays open after `close()`, for as long as its peer likes (Deno 2.9.6).
 *
 * @module
 */

/** <sys/socket.h> and <netinet/in.h> of Linux, the same on amd64 and arm64. */
const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const SHUT_RDWR = 2;
const AF_INET = 2;
const AF_INET6 = 10;
/** The largest address, a sockaddr_in6. */
const ADDRESS_BYTES = 28;
const INT_BYTES = 4;
/** No process has more files open: each caller takes one, and there are at most 1,280. */
const MAX_FILES = 4_096;

const SYMBOLS = {
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
} as const;

/** The sockets of this process. */
export class OwnSockets {
  readonly #libc = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
  readonly #value = new Uint8Array(ADDRESS_BYTES);
  readonly #size = new Uint32Array(1);
  readonly #sizeBytes = new Uint8Array(this.#size.buffer);

  /** Sets TCP_NODELAY on everything that listens. */
  setNoDelay(): void {
    const one = new Uint8Array(new Int32Array([1]).buffer);
    for (let file = 0; file < MAX_FILES; file++) {
      this.#size[0] = INT_BYTES;
      const isSocket = this.#libc.getsockopt(file, SOL_SOCKET, SO_ACCEPTCONN, this.#value, this.#sizeBytes) === 0;
      if (isSocket && this.#value[0] === 1) this.#libc.setsockopt(file, IPPROTO_TCP, TCP_NODELAY, one, INT_BYTES);
    }
  }

  /** Cuts a connection, in whatever state it is: both ends read its end. */
  cut({ remoteAddr, localAddr }: Pick<Deno.TlsConn, "remoteAddr" | "localAddr">): void {
    const { hostname, port } = remoteAddr as Deno.NetAddr;
    const wanted = canonical(hostname);
    for (let file = 0; file < MAX_FILES; file++) {
      if (!this.#ask("getpeername", file) || this.#port() !== port || canonical(addressOf(this.#value)) !== wanted) continue;
      // One peer may have a connection from the same port to another one of our ports.
      if (!this.#ask("getsockname", file) || this.#port() !== (localAddr as Deno.NetAddr).port) continue;
      this.#libc.shutdown(file, SHUT_RDWR);
      return;
    }
  }

  /** Reads an address into the value. @returns whether the file is a connection over IPv4 or IPv6 */
  #ask(which: "getpeername" | "getsockname", file: number): boolean {
    this.#size[0] = ADDRESS_BYTES;
    if (this.#libc[which](file, this.#value, this.#sizeBytes) !== 0) return false;
    return this.#value[0] === AF_INET || this.#value[0] === AF_INET6;
  }

  #port(): number {
    return (this.#value[2] as number) * 256 + (this.#value[3] as number);
  }
}

/** The address in a sockaddr_in or sockaddr_in6. */
function addressOf(address: Uint8Array): string {
  if ((address[0] as number) === AF_INET) return address.subarray(4, 8).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((address[8 + 2 * i] as number) << 8 | (address[9 + 2 * i] as number)).toString(16));
  return groups.join(":");
}

/** One text for all that mean the same address: `::ffff:10.0.0.1` is how a socket that listens on IPv6 shows 10.0.0.1. */
function canonical(address: string): string {
  const v6 = address.includes(":") ? address : `::ffff:${address}`;
  return new URL(`http://[${v6}]`).hostname;
}
