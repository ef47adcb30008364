import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import type { Secret } from "../../api/kubernetes_objects.ts";
import { certificateNames, coversHost } from "../../certificate/certificate_names.ts";

/** A Secret cannot serve TLS. The message says which and why, for people. */
export class TlsSecretError extends Error {
  override readonly name = "TlsSecretError";
}

/** A Secret and who is to be served with it. */
export interface TlsSecretCheck {
  readonly namespace: string;
  readonly name: string;
  /** The Service's name. */
  readonly service: string;
  /** The time of day. */
  readonly now: Date;
}

/**
 * Looks whether a Secret can serve a Service's TLS, before anything depends on it.
 * @returns what its callers may not like, a sentence each @throws TlsSecretError where it cannot, or what the API says
 */
export async function checkTlsSecret(api: Api, check: TlsSecretCheck, signal?: AbortSignal): Promise<string[]> {
  const { namespace, name } = check;
  let data: Readonly<Record<string, string>>;
  try {
    const { body } = await api.get<Secret>(`/api/v1/namespaces/${namespace}/secrets/${name}`, signal ? { signal } : {});
    data = body.data ?? {};
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 404) throw new TlsSecretError(`there is no Secret ${name} in namespace ${namespace}`, { cause: error });
    if (error.status !== 403) throw error;
    return [`Secret ${name} could not be checked: to read it takes the right "get secrets" in namespace ${namespace}`];
  }
  return checkTlsData(data, check);
}

/** {@link checkTlsSecret} for a Secret's data, in base64 as it comes. */
export function checkTlsData(data: Readonly<Record<string, string>>, { name, namespace, service, now }: TlsSecretCheck): string[] {
  const read = (key: string) => {
    const value = data[key];
    if (value !== undefined) return atob(value);
    const keys = Object.keys(data);
    throw new TlsSecretError(`Secret ${name} has no ${key}: ${keys.length > 0 ? `it has ${keys.join(", ")}` : "it is empty"}`);
  };
  const [pem, keyPem] = [read("tls.crt"), read("tls.key")];
  const certificate = understood(() => new X509Certificate(pem), `Secret ${name}'s tls.crt is no certificate that can be read`);
  const names = understood(() => certificateNames(pem), `Secret ${name}'s tls.crt is no certificate that can be read`);
  const key = understood(() => spki(createPublicKey(keyPem)), `Secret ${name}'s tls.key is no private key that can be read`);
  if (spki(certificate.publicKey) !== key) throw new TlsSecretError(`Secret ${name}'s tls.key does not belong to its tls.crt`);
  const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
  const host = `${service}.${namespace}.svc`;
  return [
    ...(to < now ? [`Secret ${name}'s certificate expired at ${to.toISOString()}: callers will refuse it`] : []),
    ...(from > now ? [`Secret ${name}'s certificate is not valid before ${from.toISOString()}: callers will refuse it`] : []),
    ...(coversHost(names, host) ? [] : [
      `Secret ${name}'s certificate is for ${
        names.join(", ") || "no name at all"
      } and not for ${host}: callers by that name will refuse it`,
    ]),
  ];
}

function spki(key: KeyObject): string {
  return key.export({ type: "spki", format: "der" }).toString("base64");
}

function understood<T>(read: () => T, otherwise: string): T {
  try {
    return read();
  } catch (cause) {
    throw new TlsSecretError(`${otherwise}: ${(cause as Error).message}`, { cause });
  }
}
