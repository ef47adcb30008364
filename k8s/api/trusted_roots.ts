/**
 * Which authorities Deno's own TLS trusts besides those that a connection names.
 *
 * `caCerts` of Deno.connectTls and Deno.startTls are trusted in addition to the runtime's roots: a server with any public certificate would
 * pass for an API server whose kubeconfig names its own CA. Without roots in the runtime each connection trusts what it names, and no more.
 *
 * @module
 */
import * as tls from "node:tls";

const STORE = "DENO_TLS_CA_STORE";

let dropped = false;

/**
 * Drops the roots of Deno's own TLS for the rest of the process. Only the first TLS connection reads the variable, so this must come before
 * it; the variable is put back at once, since node:tls and child processes read it later.
 */
export function dropRuntimeRoots(): void {
  // Deno 2.6 has no way to name the system's roots to a connection, so it keeps them, and uses node:tls for clusters.
  if (dropped || typeof tls.getCACertificates !== "function") return;
  const store = Deno.env.get(STORE);
  Deno.env.set(STORE, "");
  try {
    Deno.createHttpClient({}).close();
    dropped = true;
  } finally {
    if (store === undefined) Deno.env.delete(STORE);
    else Deno.env.set(STORE, store);
  }
}

/** Whether {@link dropRuntimeRoots} has taken effect: Deno's own TLS then trusts what a connection names alone. */
export function runtimeRootsDropped(): boolean {
  return dropped;
}

/**
 * The authorities to name where the user names none: those that Deno is told to use (`DENO_TLS_CA_STORE`, Mozilla's where it is not set),
 * unless the runtime still trusts them by itself. PEM.
 */
export function defaultAuthorities(): readonly string[] {
  if (!dropped) return [];
  return authorities ??= tls.getCACertificates("default");
}

/**
 * What node:tls must be given as `ca` where the user names none; undefined leaves it to its own roots. After {@link dropRuntimeRoots} it has
 * none, and then refuses every certificate, even one that is not to be verified (Deno 2.9.6).
 */
export function nodeAuthorities(insecure: boolean): string[] | undefined {
  if (!dropped) return undefined;
  return insecure ? tls.rootCertificates.slice(0, 1) : [...defaultAuthorities()];
}

let authorities: readonly string[] | undefined;
