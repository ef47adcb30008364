/** Reads a certificate: its key, and its subject alternative names (RFC 5280, 4.2.1.6), which node:crypto of Deno 2.6 does not have. */

import { Buffer } from "node:buffer";
import type { KeyObject, X509Certificate } from "node:crypto";
import { elements, Tag } from "./der.ts";

/** The object identifier 2.5.29.17, in hexadecimal bytes. */
const SUBJECT_ALT_NAME = "551d11";

/** The DNS names and addresses of the first certificate in a PEM text. @throws {TypeError} if there is none or it cannot be read */
export function certificateNames(pem: string): string[] {
  const [certificate] = elements(firstBlock(pem));
  const [toBeSigned] = elements(certificate?.content);
  const extensions = elements(toBeSigned?.content).find(({ tag }) => tag === Tag.extensions);
  const [list] = elements(extensions?.content);
  for (const extension of elements(list?.content)) {
    const parts = elements(extension.content);
    const id = parts.find(({ tag }) => tag === Tag.objectIdentifier);
    const value = parts.find(({ tag }) => tag === Tag.octetString);
    if (id && value && Buffer.from(id.content).toString("hex") === SUBJECT_ALT_NAME) return generalNames(value.content);
  }
  return [];
}

/** Whether a certificate for these names is valid for a host. A `*` stands for the first label only (RFC 9525, 6.3). */
export function coversHost(names: readonly string[], host: string): boolean {
  const wanted = host.toLowerCase();
  return names.some((name) => {
    const lower = name.toLowerCase();
    return lower === wanted || (lower.startsWith("*.") && wanted.includes(".") && lower.slice(1) === wanted.slice(wanted.indexOf(".")));
  });
}

function generalNames(value: Uint8Array): string[] {
  const [list] = elements(value);
  return elements(list?.content).flatMap(({ tag, content }) => {
    if (tag === Tag.dnsName) return [new TextDecoder().decode(content)];
    return tag === Tag.address ? [address(content)] : [];
  });
}

function address(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Buffer.from(bytes).toString("hex").match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

function firstBlock(pem: string): Uint8Array {
  const body = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(pem)?.[1];
  if (body === undefined) throw new TypeError("it contains no PEM certificate");
  return Buffer.from(body, "base64");
}

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
