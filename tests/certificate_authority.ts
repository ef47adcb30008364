/** A certificate authority for the tests: it signs certificates of servers and clients, for DNS names and IP addresses. */

import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import {
  type CertificatePair,
  certify,
  distinguishedName,
  extension,
  generateKeys,
  leafExtensions,
  OID,
} from "../k8s/certificate/certificate.ts";
import { bitString, element, sequence, Tag, TRUE } from "../k8s/certificate/der.ts";

const ORGANIZATION = "2.5.4.10";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

/** The content of a certificate that an authority signs. */
export interface IssuedCertificateOptions {
  /** The subject alternative names: DNS names and IP addresses. */
  readonly names: readonly string[];
  /** The validity, in days from {@linkcode IssuedCertificateOptions.now}. */
  readonly days: number;
  readonly now: Date;
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

/** Makes an authority. Its key exists only in the returned object. */
export async function certificateAuthority(
  { commonName, days, now }: { commonName: string; days: number; now: Date },
): Promise<CertificateAuthority> {
  const keys = await generateKeys();
  const issuer = distinguishedName({ [OID.commonName]: commonName });
  const extensions = [
    extension(OID.basicConstraints, sequence(TRUE), "critical"),
    // keyCertSign and cRLSign.
    extension(OID.keyUsage, bitString(Uint8Array.of(0b0000_0110), 1), "critical"),
  ];
  const { certPem } = await certify(keys, keys.privateKey, { issuer, subject: issuer, extensions, days, now });
  return {
    certPem,
    async issue({ names, days, now, usage = "server", commonName = "kurun", organization }) {
      const subject = distinguishedName({ ...organization && { [ORGANIZATION]: organization }, [OID.commonName]: commonName });
      const extensions = leafExtensions(usage === "server" ? OID.serverAuth : CLIENT_AUTH, names.map(generalName));
      return await certify(await generateKeys(), keys.privateKey, { issuer, subject, extensions, days, now });
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
