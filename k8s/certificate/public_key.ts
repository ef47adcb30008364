import type { KeyObject, X509Certificate } from "node:crypto";

/** The key that a certificate is for, as {@linkcode spki} has it; undefined for one that Deno 2.6 cannot read, such as Ed25519. */
export function publicKeyOf(certificate: X509Certificate): string | undefined {
  try {
    return spki(certificate.publicKey);
  } catch {
    return undefined;
  }
}

/** A public key as SubjectPublicKeyInfo (RFC 5280, 4.1), DER in base64. */
export function spki(key: KeyObject): string {
  return key.export({ type: "spki", format: "der" }).toString("base64");
}
