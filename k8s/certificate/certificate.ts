/**
 * Makes X.509 certificates (RFC 5280): that of a session's control port, and those of the tests. Keys are EC P-256, signatures ECDSA with
 * SHA-256.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import * as der from "./der.ts";

/** A certificate and its private key (PKCS #8), both as PEM. */
export interface CertificatePair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** The content of a certificate. */
export interface CertificateOptions {
  /** The subject alternative names: DNS names and IP addresses. */
  readonly names: readonly string[];
  /** The validity, in days from {@linkcode CertificateOptions.now}. */
  readonly days: number;
  /** The current time. */
  readonly now: Date;
}

/** The content of a certificate that an authority signs. */
export interface IssuedCertificateOptions extends CertificateOptions {
  /** Whether it identifies a server or a client. @default {"server"} */
  readonly usage?: "server" | "client";
  /** The subject's CN; for a client, the API server uses it as the user's name. @default {"kurun"} */
  readonly commonName?: string;
  /** The subject's O; for a client, the API server uses it as the user's group. */
  readonly organization?: string;
}

/** A certificate authority that can sign. */
export interface CertificateAuthority {
  /** The authority's own certificate, which others trust. */
  readonly certPem: string;
  /** Makes a key and signs a certificate for it. */
  issue(options: IssuedCertificateOptions): Promise<CertificatePair>;
}

/**
 * Makes a self-signed server certificate that clients can pin as their only trust anchor.
 *
 * It has CA:FALSE, because rustls refuses a server's certificate with CA:TRUE (`CaUsedAsEndEntity`, rustls/webpki#200).
 */
export async function selfSignedServerCertificate(
  options: CertificateOptions,
): Promise<CertificatePair> {
  const keys = await generateKeys();
  const subject = name("kurun");
  return {
    certPem: await sign(keys.privateKey, {
      issuer: subject,
      subject,
      publicKey: keys.publicKey,
      extensions: leafExtensions("server", options.names),
      ...options,
    }),
    keyPem: await privateKeyPem(keys.privateKey),
  };
}

/** Makes an authority. Its key exists only in the returned object. */
export async function certificateAuthority(
  options: { commonName: string; days: number; now: Date },
): Promise<CertificateAuthority> {
  const keys = await generateKeys();
  const issuer = name(options.commonName);
  const certPem = await sign(keys.privateKey, {
    issuer,
    subject: issuer,
    publicKey: keys.publicKey,
    extensions: [
      extension(OID.basicConstraints, der.sequence(der.yes()), "critical"),
      // keyCertSign and cRLSign.
      extension(OID.keyUsage, der.bitString(Uint8Array.of(0b0000_0110), 1), "critical"),
    ],
    ...options,
  });
  return {
    certPem,
    async issue(issued) {
      const leaf = await generateKeys();
      return {
        certPem: await sign(keys.privateKey, {
          issuer,
          subject: name(issued.commonName ?? "kurun", issued.organization),
          publicKey: leaf.publicKey,
          extensions: leafExtensions(issued.usage ?? "server", issued.names),
          ...issued,
        }),
        keyPem: await privateKeyPem(leaf.privateKey),
      };
    },
  };
}

const OID = {
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  extKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

const DAY_MS = 24 * 60 * 60 * 1000;
/** Certificates are valid from an hour ago, for machines whose clocks are behind. */
const CLOCK_SKEW_MS = 60 * 60 * 1000;

interface Content {
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly publicKey: CryptoKey;
  readonly extensions: readonly Uint8Array[];
  readonly days: number;
  readonly now: Date;
}

async function sign(privateKey: CryptoKey, content: Content): Promise<string> {
  const algorithm = der.sequence(der.objectIdentifier(OID.ecdsaWithSha256));
  const serial = crypto.getRandomValues(new Uint8Array(16));
  serial[0] = (serial[0] ?? 0) & 0x7f | 0x40;
  const toBeSigned = der.sequence(
    der.tagged(0, true, der.integer(Uint8Array.of(2))), // version 3
    der.integer(serial),
    algorithm,
    content.issuer,
    der.sequence(
      der.time(new Date(content.now.getTime() - CLOCK_SKEW_MS)),
      der.time(new Date(content.now.getTime() + content.days * DAY_MS)),
    ),
    content.subject,
    new Uint8Array(await crypto.subtle.exportKey("spki", content.publicKey)),
    der.tagged(3, true, der.sequence(...content.extensions)),
  );
  const raw = new Uint8Array(
    await crypto.subtle.sign(
      { name: "ECDSA", hash: "SHA-256" },
      privateKey,
      toBeSigned as Uint8Array<ArrayBuffer>,
    ),
  );
  // WebCrypto returns r and s concatenated; X.509 has two INTEGERs (RFC 3279 section 2.2.3).
  const signature = der.sequence(der.integer(raw.subarray(0, 32)), der.integer(raw.subarray(32)));
  return pem("CERTIFICATE", der.sequence(toBeSigned, algorithm, der.bitString(signature)));
}

function leafExtensions(usage: "server" | "client", names: readonly string[]): Uint8Array[] {
  const purpose = usage === "server" ? OID.serverAuth : OID.clientAuth;
  const extensions = [
    extension(OID.basicConstraints, der.sequence(), "critical"), // CA:FALSE
    extension(OID.keyUsage, der.bitString(Uint8Array.of(0b1000_0000), 7), "critical"), // digitalSignature
    extension(OID.extKeyUsage, der.sequence(der.objectIdentifier(purpose))),
  ];
  if (names.length > 0) {
    extensions.push(extension(OID.subjectAltName, der.sequence(...names.map(generalName))));
  }
  return extensions;
}

function extension(oid: string, value: Uint8Array, critical?: "critical"): Uint8Array {
  const id = der.objectIdentifier(oid);
  return critical === undefined ? der.sequence(id, der.octetString(value)) : der.sequence(id, der.yes(), der.octetString(value));
}

function name(commonName: string, organization?: string): Uint8Array {
  const part = (oid: string, text: string) => der.set(der.sequence(der.objectIdentifier(oid), der.utf8String(text)));
  return der.sequence(
    ...(organization === undefined ? [] : [part(OID.organization, organization)]),
    part(OID.commonName, commonName),
  );
}

function generalName(text: string): Uint8Array {
  switch (isIP(text)) {
    case 4:
      return der.tagged(7, false, Uint8Array.from(text.split(".").map(Number)));
    case 6:
      return der.tagged(7, false, ipv6Bytes(text));
    default:
      return der.tagged(2, false, new TextEncoder().encode(text));
  }
}

function ipv6Bytes(text: string): Uint8Array {
  // The URL parser understands every notation, including "::ffff:10.0.0.1".
  const [left = "", right] = new URL(`http://[${text}]`).hostname.slice(1, -1).split("::");
  const groups = (part: string) => part === "" ? [] : part.split(":");
  const before = groups(left);
  const after = groups(right ?? "");
  const zeros = Array(8 - before.length - after.length).fill("0");
  return Uint8Array.from(
    [...before, ...zeros, ...after].flatMap((group) => {
      const value = parseInt(group, 16);
      return [value >> 8, value & 0xff];
    }),
  );
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
}

async function privateKeyPem(key: CryptoKey): Promise<string> {
  return pem("PRIVATE KEY", new Uint8Array(await crypto.subtle.exportKey("pkcs8", key)));
}

function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes).toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
