import { setOption, Socket, type SocketCalls } from "./socket_calls.ts";

/** A sockaddr of the family AF_UNSPEC. */
const NO_ADDRESS = new Uint8Array(16);

/** An open connection by the number of its file, until that is {@link release}d: afterwards the number may be another connection's. */
export class OwnSocket {
  readonly #calls: SocketCalls;
  readonly #released: () => void;
  readonly #isTls: boolean;
  #file: number;

  /** @param isTls whether Deno speaks TLS on it */
  constructor(calls: SocketCalls, file: number, isTls: boolean, released: () => void) {
    this.#calls = calls;
    this.#isTls = isTls;
    this.#file = file;
    this.#released = released;
  }

  /** Sends what leaves without waiting. @returns how many bytes did; 0 or less where none did, whatever the reason */
  send(bytes: Uint8Array): number {
    if (this.#file < 0) return 0;
    return this.#calls.send(this.#file, bytes, BigInt(bytes.length), Socket.MSG_DONTWAIT | Socket.MSG_NOSIGNAL);
  }

  /** Whether the other side has sent bytes that nobody has read, or has reset the connection without, or neither. */
  look(): "sent" | "gone" | "silent" {
    if (this.#file < 0) return "gone";
    const value = new Uint8Array(1);
    if (this.#calls.recv(this.#file, value, 1n, Socket.MSG_PEEK | Socket.MSG_DONTWAIT) > 0) return "sent";
    const size = new Uint8Array(new Uint32Array([value.length]).buffer);
    const known = this.#calls.getsockopt(this.#file, Socket.IPPROTO_TCP, Socket.TCP_INFO, value, size) === 0;
    return known && value[0] === Socket.TCP_CLOSE ? "gone" : "silent";
  }

  /** Ends our direction, below TLS. */
  endWrite(): void {
    if (this.#file >= 0) this.#calls.shutdown(this.#file, Socket.SHUT_WR);
  }

  /** Resets the connection at once, whatever waits in it. It must still be closed. */
  reset(): void {
    if (this.#file < 0) return;
    setOption(this.#calls, this.#file, Socket.SOL_SOCKET, Socket.SO_LINGER, 1, 0);
    const isReset = this.#calls.connect(this.#file, NO_ADDRESS, NO_ADDRESS.length) === 0;
    // In other kernels than Linux (gVisor), closing a connection resets it; but Deno ends TLS before that, or waits for its handshake. An
    // end without TLS's own is a break.
    if (!isReset && this.#isTls) this.#calls.shutdown(this.#file, Socket.SHUT_RDWR);
  }

  /** Gives the number up, before the connection is closed. */
  release(): void {
    if (this.#file < 0) return;
    this.#file = -1;
    this.#released();
  }
}
