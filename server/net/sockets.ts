import type { Server } from "node:net";

/** Listens on all addresses, IPv6 and IPv4; on IPv4 alone where the node has no IPv6. @throws the system's error, as for a port in use */
export async function listen(server: Server, port: number): Promise<void> {
  try {
    await listenOn(server, port, "::");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL") throw error;
    await listenOn(server, port, "0.0.0.0");
  }
}

function listenOn(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host, backlog: 1024 }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** The other end of a socket, as the log shows it: `10.244.0.1:52069`. */
export function peerAddress({ remoteAddress, remotePort }: {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}): string {
  // A socket that listens on IPv6 shows IPv4 peers as ::ffff:10.0.0.1 (RFC 4291, 2.5.5.2).
  return `${remoteAddress?.replace(/^::ffff:/, "")}:${remotePort}`;
}
