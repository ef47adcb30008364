import { NativeConnection } from "../../tunnel/mod.ts";

/** A connection over a TCP socket of Deno, without Nagle's delay. */
export class TcpConnection extends NativeConnection {
  constructor(socket: Deno.TcpConn) {
    super(socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
  }
}
