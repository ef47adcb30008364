/** Listens on all addresses, IPv6 and IPv4; on IPv4 alone where the node has no IPv6. @throws the system's error, as for a port in use */
export function listenOnAll<L>(listen: (hostname: string) => L): L {
  try {
    return listen("::");
  } catch (error) {
    const isIpv6Absent = error instanceof Deno.errors.AddrNotAvailable || /\(os error 97\)/.test((error as Error).message);
    if (!isIpv6Absent) throw error;
    return listen("0.0.0.0");
  }
}

/** The other end of a connection, as the log shows it: `10.244.0.1:52069`. */
export function peerAddress({ hostname, port }: Pick<Deno.NetAddr, "hostname" | "port">): string {
  // A socket that listens on IPv6 shows IPv4 peers as ::ffff:10.0.0.1 (RFC 4291, 2.5.5.2).
  return `${hostname.replace(/^::ffff:/, "")}:${port}`;
}
