/** A certificate authority for the tests: it signs certificates of servers and clients, for DNS names and IP addresses. */

import { type CertificatePair, OID } from "../k8s/certificate/certificate.ts";
import { certificateAuthority as authority, type IssuedCertificate } from "../k8s/certificate/session_ca.ts";

const ORGANIZATION = "2.5.4.10";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

/** The content of a certificate that an authority signs. */
export interface IssuedCertificateOptions extends Pick<IssuedCertificate, "names" | "days" | "now"> {
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
export async function certificateAuthority(options: { commonName: string; days: number; now: Date }): Promise<CertificateAuthority> {
  const { certPem, issue } = await authority(options);
  return {
    certPem,
    issue: ({ usage, commonName = "kurun", organization, ...content }) =>
      issue({
        ...content,
        purpose: usage === "client" ? CLIENT_AUTH : OID.serverAuth,
        subject: { ...organization && { [ORGANIZATION]: organization }, [OID.commonName]: commonName },
      }),
  };
}
