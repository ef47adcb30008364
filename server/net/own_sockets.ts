/**
 * What Deno 2.9.6 cannot do with its own connections, by the C library:
 *
 * - TCP_NODELAY for those that `Deno.listenTls` accepts. Without it, a small frame behind another waits for the other side's delayed
 *   acknowledgement, 40 ms. Keep-alive after 30 s and not two hours. Connections inherit both from the socket that listens.
 * - More than 128 callers that wait to be accepted.
 * - Giving all new connections to the newer of two sockets that listen on one port (SO_REUSEPORT), so that the other can be closed. Where
 *   the kernel cannot (gVisor), both get some.
 * - Resets. And a connection whose TLS handshake is unfinished stays open after `close()`, for as long as its peer likes.
 *
 * @module
 */
import { OwnSocket } from "./own_socket.ts";
import { setOption, Socket, socketCalls } from "./socket_calls.ts";

/** The largest address, a sockaddr_in6. */
const ADDRESS_BYTES = 28;
const INT_BYTES = 4;
/** More files are not searched. Each caller takes one, and there are at most 1,280. */
const MAX_FILES = 4_096;
/** A new file gets the lowest number that is free. So many may have been opened meanwhile for something else. */
const NEW_FILES = 256;
const KEEP_ALIVE_S = 30;
const BACKLOG = 1_024;

/** Which connection is meant. */
type Ends = Pick<Deno.TcpConn | Deno.TlsConn, "remoteAddr" | "localAddr">;

/** The sockets of this process. */
export class OwnSockets {
  readonly #calls = socketCalls();
  readonly #value = new Uint8Array(ADDRESS_BYTES);
  readonly #size = new Uint32Array(1);
  readonly #sizeBytes = new Uint8Array(this.#size.buffer);
  /** Which files are connections that were taken: they are no others. */
  readonly #taken = new Uint8Array(MAX_FILES);
  /** Mostly the number of the next connection, which is the lowest that is free. */
  #guess = 0;
  /** One more than the highest number that was seen in this process. */
  static #top = 0;

  /** Prepares everything that listens. */
  prepareListeners(): void {
    const program = chooseSecondProgram();
    for (let file = 0; file < MAX_FILES; file++) {
      this.#size[0] = INT_BYTES;
      const isSocket = this.#calls.getsockopt(file, Socket.SOL_SOCKET, Socket.SO_ACCEPTCONN, this.#value, this.#sizeBytes) === 0;
      if (!isSocket || this.#value[0] !== 1) continue;
      this.#saw(file);
      setOption(this.#calls, file, Socket.IPPROTO_TCP, Socket.TCP_NODELAY, 1);
      setOption(this.#calls, file, Socket.SOL_SOCKET, Socket.SO_KEEPALIVE, 1);
      setOption(this.#calls, file, Socket.IPPROTO_TCP, Socket.TCP_KEEPIDLE, KEEP_ALIVE_S);
      this.#calls.setsockopt(file, Socket.SOL_SOCKET, Socket.SO_ATTACH_REUSEPORT_CBPF, program, program.length);
      this.#calls.listen(file, BACKLOG);
    }
  }

  /** Takes an open connection of Deno's; release it before Deno closes it. @returns undefined if it has ended already */
  take(ends: Ends): OwnSocket | undefined {
    const file = this.#is(this.#guess, ends) ? this.#guess : this.#find(ends);
    if (file === undefined) return undefined;
    this.#taken[file] = 1;
    this.#saw(file);
    this.#guess = file + 1;
    return new OwnSocket(this.#calls, file, "handshake" in ends, () => {
      this.#taken[file] = 0;
      this.#guess = Math.min(this.#guess, file);
    });
  }

  #find(ends: Ends): number | undefined {
    // A connection that has gone already is not found, however long one looks: 4,096 files take 2 to 4 ms.
    for (let file = 0; file < Math.min(OwnSockets.#top + NEW_FILES, MAX_FILES); file++) if (this.#is(file, ends)) return file;
    return undefined;
  }

  #saw(file: number): void {
    OwnSockets.#top = Math.max(OwnSockets.#top, file + 1);
  }

  #is(file: number, { remoteAddr, localAddr }: Ends): boolean {
    if (this.#taken[file]) return false;
    // One peer may have a connection from the same port to another one of our ports.
    return this.#has("getpeername", file, remoteAddr as Deno.NetAddr) && this.#has("getsockname", file, localAddr as Deno.NetAddr);
  }

  /** Whether a file is a connection over IPv4 or IPv6 with this address at that end. */
  #has(end: "getpeername" | "getsockname", file: number, { hostname, port }: Deno.NetAddr): boolean {
    const address = this.#value;
    this.#size[0] = ADDRESS_BYTES;
    if (this.#calls[end](file, address, this.#sizeBytes) !== 0) return false;
    if (address[0] !== Socket.AF_INET && address[0] !== Socket.AF_INET6) return false;
    return (address[2] as number) * 256 + (address[3] as number) === port && canonical(textOf(address)) === canonical(hostname);
  }
}

let program: { readonly fprog: Uint8Array<ArrayBuffer>; readonly code: Uint8Array<ArrayBuffer> } | undefined;

/**
 * A program for the kernel (classic BPF, as a struct sock_fprog of <linux/filter.h>) that gives a new connection to the second socket that
 * listens on a port, in the order in which they began; to the only one if there is no second. Takes the permission for FFI the first time.
 */
function chooseSecondProgram(): Uint8Array<ArrayBuffer> {
  if (!program) {
    const RETURN_CONSTANT = 0x06;
    const [code, fprog] = [new Uint8Array(8), new Uint8Array(16)];
    const instruction = new DataView(code.buffer);
    instruction.setUint16(0, RETURN_CONSTANT, true);
    instruction.setUint32(4, 1, true);
    const view = new DataView(fprog.buffer);
    view.setUint16(0, 1, true);
    view.setBigUint64(8, Deno.UnsafePointer.value(Deno.UnsafePointer.of(code)), true);
    // The code is kept because the other one only points to it.
    program = { fprog, code };
  }
  return program.fprog;
}

/** The address in a sockaddr_in or sockaddr_in6. */
function textOf(address: Uint8Array): string {
  if ((address[0] as number) === Socket.AF_INET) return address.subarray(4, 8).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((address[8 + 2 * i] as number) << 8 | (address[9 + 2 * i] as number)).toString(16));
  return groups.slice(0, 6).join() === "0,0,0,0,0,ffff" ? address.subarray(20, 24).join(".") : groups.join(":");
}

/** One text for all that mean the same address: `::ffff:10.0.0.1` is how a socket that listens on IPv6 shows 10.0.0.1. */
function canonical(address: string): string {
  const v4 = address.replace(/^::ffff:(?=[\d.]+$)/, "");
  return v4.includes(":") ? new URL(`http://[${v4}]`).hostname : v4;
}
