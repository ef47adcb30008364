/**
 * Makes X.509 certificates (RFC 5280) for a session's control port. Keys are EC P-256, signatures ECDSA with SHA-256. `@peculiar/x509` does
 * this too, but with 18 packages, a globally patched `Reflect` and 60 ms of start-up time.
 */

import { Buffer } from "node:buffer";
import { bitString, element, integer, objectIdentifier, sequence, Tag, time, TRUE } from "./der.ts";

/** A certificate and its private key (PKCS #8), both as PEM. */
export interface CertificatePair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** The content of a certificate, its names and extensions in DER. */
export interface CertificateContent {
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly extensions: readonly Uint8Array[];
  /** The validity, in days from {@linkcode CertificateContent.now}. */
  readonly days: number;
  /** The current time. */
  readonly now: Date;
}

/** Object identifiers. */
export const OID = {
  commonName: "2.5.4.3",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
} as const;

const DAY_MS = 24 * 60 * 60 * 1000;
/** Certificates are valid from an hour ago, for machines whose clocks are behind. */
const CLOCK_SKEW_MS = 60 * 60 * 1000;

/**
 * Makes a self-signed server certificate for DNS names, which clients can pin as their only trust anchor. It has CA:FALSE, because rustls
 * refuses a server's certificate with CA:TRUE (`CaUsedAsEndEntity`, rustls/webpki#200).
 */
export async function selfSignedServerCertificate(
  { names, days, now }: { names: readonly string[]; days: number; now: Date },
): Promise<CertificatePair> {
  const keys = await generateKeys();
  const subject = distinguishedName({ [OID.commonName]: "kurun" });
  const extensions = leafExtensions(OID.serverAuth, names.map((name) => element(Tag.dnsName, new TextEncoder().encode(name))));
  return await certify(keys, keys.privateKey, { issuer: subject, subject, extensions, days, now });
}

/** Makes a certificate for a pair of keys, signed with the issuer's key. */
export async function certify(keys: CryptoKeyPair, issuerKey: CryptoKey, content: CertificateContent): Promise<CertificatePair> {
  const { issuer, subject, extensions, days, now } = content;
  const algorithm = sequence(objectIdentifier(OID.ecdsaWithSha256));
  const serial = crypto.getRandomValues(new Uint8Array(16));
  serial[0] = (serial[0] ?? 0) & 0x7f | 0x40;
  const toBeSigned = sequence(
    element(Tag.version, integer(Uint8Array.of(2))), // 3
    integer(serial),
    algorithm,
    issuer,
    sequence(time(new Date(now.getTime() - CLOCK_SKEW_MS)), time(new Date(now.getTime() + days * DAY_MS))),
    subject,
    new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey)),
    element(Tag.extensions, sequence(...extensions)),
  );
  const raw = new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, issuerKey, toBeSigned));
  // WebCrypto returns r and s concatenated; X.509 has two INTEGERs (RFC 3279 section 2.2.3).
  const signature = sequence(integer(raw.subarray(0, 32)), integer(raw.subarray(32)));
  return {
    certPem: pem("CERTIFICATE", sequence(toBeSigned, algorithm, bitString(signature))),
    keyPem: pem("PRIVATE KEY", new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey))),
  };
}

/** The extensions of a certificate that signs no others. @param names subject alternative names in DER */
export function leafExtensions(purpose: string, names: readonly Uint8Array[]): Uint8Array[] {
  return [
    extension(OID.basicConstraints, sequence(), "critical"), // CA:FALSE
    extension(OID.keyUsage, bitString(Uint8Array.of(0b1000_0000), 7), "critical"), // digitalSignature
    extension(OID.extKeyUsage, sequence(objectIdentifier(purpose))),
    ...(names.length === 0 ? [] : [extension(OID.subjectAltName, sequence(...names))]),
  ];
}

/** An extension by its object identifier. */
export function extension(oid: string, value: Uint8Array, critical?: "critical"): Uint8Array {
  return sequence(objectIdentifier(oid), ...(critical ? [TRUE] : []), element(Tag.octetString, value));
}

/** The Name of these attributes, by their object identifiers. */
export function distinguishedName(attributes: Readonly<Record<string, string>>): Uint8Array {
  // Each is a SET of one element: DER requires several to be sorted.
  return sequence(
    ...Object.entries(attributes).map(([oid, text]) =>
      element(Tag.set, sequence(objectIdentifier(oid), element(Tag.utf8String, new TextEncoder().encode(text))))
    ),
  );
}

/** Identifies a key: the first 160 bits of its SHA-256 (RFC 7093, section 2). */
export async function keyIdentifier(key: CryptoKey): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await crypto.subtle.exportKey("raw", key))).subarray(0, 20);
}

/** A new pair of keys. */
export function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
}

function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes).toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
