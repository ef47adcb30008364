/**
 * Makes X.509 certificates (RFC 5280): that of a session's control port, and those of the tests. Keys are EC P-256, signatures ECDSA with
 * SHA-256.
 *
 * `@peculiar/x509` does this and much more, but with 18 packages, a globally patched `Reflect` and 60 ms of start-up time.
 */

import { Buffer } from "node:buffer";
import { isIP } from "node:net";

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
export async function selfSignedServerCertificate(options: CertificateOptions): Promise<CertificatePair> {
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
export async function certificateAuthority(options: { commonName: string; days: number; now: Date }): Promise<CertificateAuthority> {
  const keys = await generateKeys();
  const issuer = name(options.commonName);
  const certPem = await sign(keys.privateKey, {
    issuer,
    subject: issuer,
    publicKey: keys.publicKey,
    extensions: [
      extension(OID.basicConstraints, sequence(TRUE), "critical"),
      // keyCertSign and cRLSign.
      extension(OID.keyUsage, bitString(Uint8Array.of(0b0000_0110), 1), "critical"),
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
  const algorithm = sequence(objectIdentifier(OID.ecdsaWithSha256));
  const serial = crypto.getRandomValues(new Uint8Array(16));
  serial[0] = (serial[0] ?? 0) & 0x7f | 0x40;
  const toBeSigned = sequence(
    tagged(0, true, integer(Uint8Array.of(2))), // version 3
    integer(serial),
    algorithm,
    content.issuer,
    sequence(
      time(new Date(content.now.getTime() - CLOCK_SKEW_MS)),
      time(new Date(content.now.getTime() + content.days * DAY_MS)),
    ),
    content.subject,
    new Uint8Array(await crypto.subtle.exportKey("spki", content.publicKey)),
    tagged(3, true, sequence(...content.extensions)),
  );
  const raw = new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, toBeSigned));
  // WebCrypto returns r and s concatenated; X.509 has two INTEGERs (RFC 3279 section 2.2.3).
  const signature = sequence(integer(raw.subarray(0, 32)), integer(raw.subarray(32)));
  return pem("CERTIFICATE", sequence(toBeSigned, algorithm, bitString(signature)));
}

function leafExtensions(usage: "server" | "client", names: readonly string[]): Uint8Array[] {
  const purpose = usage === "server" ? OID.serverAuth : OID.clientAuth;
  const extensions = [
    extension(OID.basicConstraints, sequence(), "critical"), // CA:FALSE
    extension(OID.keyUsage, bitString(Uint8Array.of(0b1000_0000), 7), "critical"), // digitalSignature
    extension(OID.extKeyUsage, sequence(objectIdentifier(purpose))),
  ];
  return names.length === 0 ? extensions : [...extensions, extension(OID.subjectAltName, sequence(...names.map(generalName)))];
}

function extension(oid: string, value: Uint8Array, critical?: "critical"): Uint8Array {
  return sequence(objectIdentifier(oid), ...(critical ? [TRUE] : []), octetString(value));
}

function name(commonName: string, organization?: string): Uint8Array {
  const part = (oid: string, text: string) => set(sequence(objectIdentifier(oid), utf8String(text)));
  return sequence(
    ...(organization === undefined ? [] : [part(OID.organization, organization)]),
    part(OID.commonName, commonName),
  );
}

function generalName(text: string): Uint8Array {
  const family = isIP(text);
  if (family === 0) return tagged(2, false, new TextEncoder().encode(text));
  return tagged(7, false, family === 4 ? Uint8Array.from(text.split(".").map(Number)) : ipv6Bytes(text));
}

function ipv6Bytes(text: string): Uint8Array {
  // The URL parser understands every notation, including "::ffff:10.0.0.1".
  const [left = "", right] = new URL(`http://[${text}]`).hostname.slice(1, -1).split("::");
  const [before, after] = [left, right ?? ""].map((part) => part === "" ? [] : part.split(":")) as [string[], string[]];
  const zeros = Array(8 - before.length - after.length).fill("0");
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, "0")).join(""), "hex");
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
}

async function privateKeyPem(key: CryptoKey): Promise<string> {
  return pem("PRIVATE KEY", new Uint8Array(await crypto.subtle.exportKey("pkcs8", key)));
}

function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes).toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

// The part of ASN.1's DER (X.690) that certificates need.

/** One element: its tag, its length, and the parts of its content in order. */
function element(tag: number, ...content: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  const head = length < 0x80 ? [tag, length] : [tag, 0x80 | bytes.length, ...bytes];
  return Uint8Array.from(Buffer.concat([Uint8Array.from(head), ...content]));
}

const sequence = (...content: readonly Uint8Array[]) => element(0x30, ...content);
/** A SET of one element: DER requires several to be sorted. */
const set = (content: Uint8Array) => element(0x31, content);
/** False is always a default here, and DER omits defaults. */
const TRUE = element(0x01, Uint8Array.of(0xff));
const octetString = (bytes: Uint8Array) => element(0x04, bytes);
const utf8String = (text: string) => element(0x0c, new TextEncoder().encode(text));
/** @param unused how many low bits of the last byte do not count */
const bitString = (bytes: Uint8Array, unused = 0) => element(0x03, Uint8Array.of(unused), bytes);

/** A non-negative INTEGER from its bytes, most significant first. */
function integer(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte, at) => byte !== 0 || at === bytes.length - 1);
  // A leading 1 bit would mean a negative number.
  return element(0x02, Uint8Array.of(...(bytes[start]! >= 0x80 ? [0] : []), ...bytes.subarray(start)));
}

/** An OBJECT IDENTIFIER from its dotted text. */
function objectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift(0x80 | (left & 0x7f));
    return digits;
  });
  return element(0x06, Uint8Array.from(bytes));
}

/** A time in whole seconds by RFC 5280 section 4.1.2.5: UTCTime before 2050, GeneralizedTime from then on. */
function time(date: Date): Uint8Array {
  const digits = date.toISOString().replace(/\.\d+Z$/, "Z").replace(/[-:T]/g, "");
  const short = date.getUTCFullYear() < 2050;
  return element(short ? 0x17 : 0x18, new TextEncoder().encode(short ? digits.slice(2) : digits));
}

/** An element with a context-specific tag. @param constructed whether it contains other elements */
function tagged(number: number, constructed: boolean, content: Uint8Array): Uint8Array {
  return element(0x80 | (constructed ? 0x20 : 0) | number, content);
}
