import { createPublicKey, X509Certificate } from "node:crypto";
import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import type { Secret } from "../../api/kubernetes_objects.ts";
import { certificateNames, coversHost, publicKeyOf, spki } from "../../certificate/read_certificate.ts";

/** A Secret cannot be used for TLS. The message says which one and why. */
export class TlsSecretError extends Error {
  override readonly name = "TlsSecretError";
}

/** A Secret, the Service whose callers it serves, and the current time. */
export interface TlsSecretCheck {
  readonly namespace: string;
  readonly name: string;
  readonly service: string;
  readonly now: Date;
}

/**
 * Checks whether a Secret can be used for a Service's TLS, before anything depends on it.
 * @returns a sentence for each reason why callers may refuse the certificate
 * @throws {TlsSecretError} if it cannot be used; also as {@linkcode Api.get} does
 */
export async function checkTlsSecret(api: Api, check: TlsSecretCheck, signal?: AbortSignal): Promise<string[]> {
  const { namespace, name } = check;
  try {
    const { body } = await api.get<Secret>(`/api/v1/namespaces/${namespace}/secrets/${name}`, { signal });
    return checkTlsData(body.data ?? {}, check);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 404) throw new TlsSecretError(`there is no Secret ${name} in namespace ${namespace}`, { cause: error });
    if (error.status !== 403) throw error;
    return [`Secret ${name} could not be checked: reading it needs the right "get secrets" in namespace ${namespace}`];
  }
}

/** {@link checkTlsSecret} for a Secret's data, in base64 as the API server sends it. */
export function checkTlsData(data: Readonly<Record<string, string>>, { name, namespace, service, now }: TlsSecretCheck): string[] {
  const read = (key: string) => {
    const value = data[key];
    if (value !== undefined) return atob(value);
    const keys = Object.keys(data);
    throw new TlsSecretError(`Secret ${name} has no ${key}: ${keys.length > 0 ? `it has ${keys.join(", ")}` : "it is empty"}`);
  };
  const [pem, keyPem] = [read("tls.crt"), read("tls.key")];
  const [certificate, names] = understood(
    () => [new X509Certificate(pem), certificateNames(pem)] as const,
    `${name}: tls.crt is not a valid certificate`,
  );
  const key = understood(() => spki(createPublicKey(keyPem)), `${name}: tls.key is not a valid private key`);
  if ((publicKeyOf(certificate) ?? key) !== key) throw new TlsSecretError(`Secret ${name}: tls.key does not belong to tls.crt`);
  const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
  const host = `${service}.${namespace}.svc`;
  const isFor = names.join(", ") || "no name";
  return [
    ...(to < now ? [`expired at ${to.toISOString()}: callers will refuse it`] : []),
    ...(from > now ? [`is not valid before ${from.toISOString()}: callers will refuse it`] : []),
    ...(coversHost(names, host) ? [] : [`is for ${isFor}, not for ${host}: callers that use this name will refuse it`]),
  ].map((reason) => `The certificate in Secret ${name} ${reason}`);
}

function understood<T>(read: () => T, otherwise: string): T {
  try {
    return read();
  } catch (cause) {
    throw new TlsSecretError(`Secret ${otherwise}: ${(cause as Error).message}`, { cause });
  }
}
