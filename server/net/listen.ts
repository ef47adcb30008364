import type { Server } from "node:net";

/** Listens on all addresses, IPv6 and IPv4; on IPv4 alone where the node has no IPv6. @throws what the system says, as for a port in use */
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
