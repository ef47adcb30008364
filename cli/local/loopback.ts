/** Whether a host is this machine: nobody can intercept the connection, so its certificate need not be verified. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
