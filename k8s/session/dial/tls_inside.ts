import { type Connection, NativeConnection, relay } from "../../../tunnel/mod.ts";
import type { DialedConnection } from "../../api/dial.ts";

/** The last frames have this long to leave. */
const LAST_FRAMES_MS = 1_000;

/**
 * Starts TLS inside a connection. Deno's own TLS takes nothing but TCP, so a pair of sockets on the loopback interface is in between; node:tls
 * over a stream does not check names (Deno 2.9), or does not exist (before 2.8). Only this process's own socket is let in.
 *
 * @param certificate the only certificate to accept, PEM
 * @throws what TLS says
 */
export async function startTlsInside(
  connection: Connection,
  hostname: string,
  certificate: string,
  signal: AbortSignal,
): Promise<DialedConnection> {
  const [inner, outer] = await socketPair();
  if (signal.aborted) {
    for (const conn of [inner, outer]) conn.close();
    throw signal.reason;
  }
  // Never rejects, and ends with either side.
  void relay(new NativeConnection(outer), connection);
  const abort = () => connection.reset();
  signal.addEventListener("abort", abort);
  try {
    const tls = await Deno.startTls(inner, { hostname, caCerts: [certificate], alpnProtocols: ["http/1.1"] });
    await tls.handshake().catch((error) => {
      tls.close();
      throw error;
    });
    // On a dead network the last frames never leave, and the sockets would stay until TCP gives up.
    const closing = () => Deno.unrefTimer(setTimeout(() => connection.reset(), LAST_FRAMES_MS));
    return new NativeConnection(tls, { copyBelow: 0, closing });
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function socketPair(): Promise<[Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const inner = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  for (;;) {
    const outer = await listener.accept();
    if (outer.remoteAddr.port === inner.localAddr.port) {
      for (const conn of [inner, outer]) conn.setNoDelay(true);
      return [inner, outer];
    }
    // Another process of this machine was faster.
    outer.close();
  }
}
