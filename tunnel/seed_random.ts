/**
 * Begins to seed the random numbers of Deno's TLS, on another thread. AWS-LC gathers them from the processor's jitter when they are first
 * used, which takes 50 to 80 ms in each process (Deno 2.9.6). Otherwise the first TLS connection does that, and everything waits for it.
 */
export function seedRandom(): void {
  crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]).catch(() => {});
}
