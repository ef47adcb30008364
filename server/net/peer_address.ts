/** Who is at the other end of a socket, as the log has it: `10.244.0.1:52069`. */
export function peerAddress({ remoteAddress, remotePort }: {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}): string {
  // A socket that listens on IPv6 gives IPv4 peers as ::ffff:10.0.0.1 (RFC 4291, 2.5.5.2).
  return `${remoteAddress?.replace(/^::ffff:/, "")}:${remotePort}`;
}
