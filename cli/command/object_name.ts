import { usageError } from "./errors.ts";

/** A name of a Secret and of most other objects, and the prefix of a label: a DNS subdomain (RFC 1123). */
export const OBJECT_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** Checks the name of a Secret. @throws UserError naming the flag */
export function checkSecretName(flag: string, name: string): void {
  if (OBJECT_NAME.test(name)) return;
  throw usageError(`${flag} ${name} is not a valid Secret name: use lower-case letters, digits, - and ., at most 253 characters`);
}

/** A random suffix for a name: five letters and digits without vowels, so that no words appear, as in Kubernetes. */
export function nameEnd(random: (length: number) => Uint8Array): string {
  return [...random(5)].map((byte) => "bcdfghjklmnpqrstvwxz2456789"[byte % 27]).join("");
}
