/** Certificate authorities (RFC 5280), and the certificates of a session whose callers must verify it. */

import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import {
  type CertificatePair,
  certify,
  distinguishedName,
  extension,
  generateKeys,
  keyIdentifier,
  leafExtensions,
  OID,
} from "./certificate.ts";
import { bitString, element, sequence, Tag, TRUE } from "./der.ts";

/** The subject of every session's authority. A certificate that it issued, but that is not the session's, is one of an earlier session. */
export const SESSION_CA = "kurun session CA";

/** What an authority signs. */
export interface IssuedCertificate {
  /** The subject alternative names: DNS names and IP addresses. */
  readonly names: readonly string[];
  /** The validity, in days from {@linkcode IssuedCertificate.now}. */
  readonly days: number;
  readonly now: Date;
  /** What the certificate is for, by {@linkcode OID}. @default {OID.serverAuth} */
  readonly purpose?: string;
  /** The attributes of its subject, by their object identifiers. @default {kurun as the common name} */
  readonly subject?: Readonly<Record<string, string>>;
}

/** A certificate authority that can sign. */
export interface CertificateAuthority {
  /** The authority's own certificate, which others trust. */
  readonly certPem: string;
  /** Makes a key and signs a certificate for it. */
  issue(options: IssuedCertificate): Promise<CertificatePair>;
}

/** The certificates of a session: the authority that its callers trust, and the pair that its servers present. */
export interface SessionCertificates extends CertificatePair {
  readonly caPem: string;
}

/**
 * Makes a session's authority and the one certificate that it ever signs; the authority's key is then forgotten.
 * @param content its names: those of {@linkcode serviceHosts} and of {@linkcode LOCAL_HOSTS}, at least
 */
export async function sessionCertificates(content: Pick<IssuedCertificate, "names" | "days" | "now">): Promise<SessionCertificates> {
  const authority = await certificateAuthority({ commonName: SESSION_CA, ...content });
  return { caPem: authority.certPem, ...await authority.issue(content) };
}

/** The names that callers in the cluster may know a Service by; the API server uses the first one. */
export function serviceHosts(service: string, namespace: string): string[] {
  const name = `${service}.${namespace}`;
  return [`${name}.svc`, `${name}.svc.cluster.local`, name, service];
}

/** The names of a program on this machine. */
export const LOCAL_HOSTS = ["localhost", "127.0.0.1", "::1"] as const;

/** Makes an authority. Its key exists only in the returned object. */
export async function certificateAuthority(
  { commonName, days, now }: { commonName: string; days: number; now: Date },
): Promise<CertificateAuthority> {
  const keys = await generateKeys();
  const issuer = distinguishedName({ [OID.commonName]: commonName });
  const id = await keyIdentifier(keys.publicKey);
  const extensions = [
    extension(OID.basicConstraints, sequence(TRUE), "critical"),
    // keyCertSign and cRLSign.
    extension(OID.keyUsage, bitString(Uint8Array.of(0b0000_0110), 1), "critical"),
    extension(OID.subjectKeyIdentifier, element(Tag.octetString, id)),
  ];
  const { certPem } = await certify(keys, keys.privateKey, { issuer, subject: issuer, extensions, days, now });
  return {
    certPem,
    async issue({ names, days, now, purpose = OID.serverAuth, subject = { [OID.commonName]: "kurun" } }) {
      const leaf = await generateKeys();
      const extensions = [
        ...leafExtensions(purpose, names.map(generalName)),
        extension(OID.subjectKeyIdentifier, element(Tag.octetString, await keyIdentifier(leaf.publicKey))),
        // Python from 3.13 on and `openssl verify -x509_strict` require it of what an authority issues (RFC 5280, 4.2.1.1).
        extension(OID.authorityKeyIdentifier, sequence(element(Tag.keyIdentifier, id))),
      ];
      return await certify(leaf, keys.privateKey, { issuer, subject: distinguishedName(subject), extensions, days, now });
    },
  };
}

function generalName(text: string): Uint8Array {
  const family = isIP(text);
  if (family === 0) return element(Tag.dnsName, new TextEncoder().encode(text));
  return element(Tag.address, family === 4 ? Uint8Array.from(text.split(".").map(Number)) : ipv6Bytes(text));
}

function ipv6Bytes(text: string): Uint8Array {
  // The URL parser understands every notation, including "::ffff:10.0.0.1".
  const [left = "", right] = new URL(`http://[${text}]`).hostname.slice(1, -1).split("::");
  const [before, after] = [left, right ?? ""].map((part) => part === "" ? [] : part.split(":")) as [string[], string[]];
  const zeros = Array(8 - before.length - after.length).fill("0");
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, "0")).join(""), "hex");
}
