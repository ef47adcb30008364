/** How a kubeconfig's user proves who they are: the headers of each request and the certificate of TLS. */

import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { type ConnectionOptions, CredentialError, type Validity } from "../api/cluster_access.ts";
import { publicKeyOf, spki } from "../certificate/read_certificate.ts";
import type { ExecCredentialSource } from "./exec_credential.ts";

/** The text of a file that may be replaced at any time. */
export class FileText {
  readonly #now: () => number;
  #text: string | undefined;
  #readAt = 0;

  /** @param now the time in milliseconds, by any clock */
  constructor(readonly path: string, now: () => number) {
    this.#now = now;
  }

  /** The file's text, at most 10 s old. @throws {CredentialError} if it cannot be read */
  async read(): Promise<string> {
    if (this.#text !== undefined && this.#now() - this.#readAt < FILE_MAX_AGE_MS) return this.#text;
    try {
      this.#text = await Deno.readTextFile(this.path);
    } catch (cause) {
      throw new CredentialError(`Cannot read ${this.path}, which the kubeconfig or a flag names: ${(cause as Error).message}`, { cause });
    }
    this.#readAt = this.#now();
    return this.#text;
  }

  /** Makes the next {@linkcode read} read the file again. */
  forget(): void {
    this.#text = undefined;
  }
}

const FILE_MAX_AGE_MS = 10_000;

/** A text, or the file that has it. */
export type TextSource = string | FileText;

/** Headers; one with a list is sent several times. */
export type HeaderFields = ConnectionOptions["headers"];

/** A user of the kubeconfig, changed by the flags. Certificate and key are PEM. */
export interface UserSettings {
  readonly name: string;
  readonly token: TextSource | undefined;
  /** The header for name and password. */
  readonly basic: string | undefined;
  readonly cert: TextSource | undefined;
  readonly key: TextSource | undefined;
  readonly exec: ExecCredentialSource | undefined;
  /** The headers that impersonate another user. */
  readonly headers: HeaderFields;
}

/** Provides the user's current credentials. */
export class UserCredentials {
  readonly #user: UserSettings;
  readonly #now: () => number;
  #checked: string | undefined;
  /** The client certificate that was used last. */
  #certificate: Validity | undefined;

  /** @param now the time in milliseconds since 1970 */
  constructor(user: UserSettings, now: () => number) {
    this.#user = user;
    this.#now = now;
  }

  /** The credentials of the next connection. @throws {CredentialError} if they cannot be obtained or used */
  async resolve(): Promise<{ headers: HeaderFields; cert?: string; key?: string }> {
    const { token, basic, exec, name } = this.#user;
    const headers = { ...this.#user.headers };
    let cert = await readText(this.#user.cert);
    let key = await readText(this.#user.key);
    if (token !== undefined) {
      const from = token instanceof FileText ? `the token file ${token.path}` : `the token of user "${name}"`;
      headers.Authorization = bearer((await readText(token))!.trim(), from);
    } else if (basic !== undefined) {
      headers.Authorization = basic;
    } else if (exec !== undefined) {
      const credential = await exec.get();
      if (credential.token !== undefined) headers.Authorization = bearer(credential.token, `the exec plugin's token for user "${name}"`);
      cert = credential.certPem ?? cert;
      key = credential.keyPem ?? key;
    }
    if (cert === undefined || key === undefined) return { headers };
    const pair = { cert: pemBlocks(cert, "CERTIFICATE"), key: pemBlocks(key, "[A-Z ]*PRIVATE KEY") };
    this.#check(pair);
    return { headers, ...pair };
  }

  /** Which of the credentials used last has expired, as the reason for a 401; undefined if none has. */
  expired(): string | undefined {
    const { name, exec } = this.#user;
    const end = this.#certificate?.validTo.getTime() ?? Infinity;
    if (end < this.#now()) return `the client certificate of user "${name}" expired on ${isoTime(end)}`;
    const ended = exec?.expiredAt();
    return ended === undefined ? undefined : `the exec plugin of user "${name}" returned a credential that expired on ${isoTime(ended)}`;
  }

  /** When the client certificate that was used last is valid, unless a plugin renews it. */
  certificate(): Validity | undefined {
    return this.#user.exec ? undefined : this.#certificate;
  }

  /** Discards everything that was kept, so that it is read or asked for again. */
  forget(): void {
    for (const source of [this.#user.token, this.#user.cert, this.#user.key]) {
      if (source instanceof FileText) source.forget();
    }
    this.#user.exec?.forget();
  }

  /** Deno 2.6 panics when a certificate and a key do not belong together, and 2.9 sends neither. */
  #check(pair: { cert: string; key: string }): void {
    if (this.#checked === pair.cert + pair.key) return;
    let same: boolean;
    try {
      const ofKey = spki(createPublicKey(createPrivateKey(pair.key)));
      const certificate = new X509Certificate(pair.cert);
      this.#certificate = { validFrom: new Date(certificate.validFrom), validTo: new Date(certificate.validTo) };
      same = (publicKeyOf(certificate) ?? ofKey) === ofKey;
    } catch (cause) {
      throw new CredentialError(`Cannot use the client certificate and key of user "${this.#user.name}": ${(cause as Error).message}`);
    }
    if (!same) {
      throw new CredentialError(`Cannot use the client certificate of user "${this.#user.name}": the key belongs to another certificate`);
    }
    this.#checked = pair.cert + pair.key;
  }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** The text of a source. @throws {CredentialError} if its file cannot be read */
export async function readText(source: TextSource | undefined): Promise<string | undefined> {
  return source instanceof FileText ? await source.read() : source;
}

/** @param from what has the token, for errors */
function bearer(token: string, from: string): string {
  if (token === "") throw new CredentialError(`${from} is empty: log in again`.replace(/^t/, "T"));
  // A line break would end the header, and the error about it would show the token.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new CredentialError(`Cannot use ${from}: it has characters that a token cannot have`);
  return `Bearer ${token}`;
}

/** Keeps the wanted blocks only: openssl puts `EC PARAMETERS` before a key, which Deno 2.6 cannot read. */
function pemBlocks(text: string, label: string): string {
  const blocks = text.match(new RegExp(`-----BEGIN (${label})-----[^-]*-----END \\1-----`, "g"));
  return blocks === null ? text : blocks.join("\n") + "\n";
}

/** The headers of the API server's user impersonation. */
export function impersonationHeaders(
  { user, uid, groups, extra }: { user: string; uid: string; groups: readonly string[]; extra: Record<string, readonly string[]> },
): HeaderFields {
  const lists = { Group: groups, ...Object.fromEntries(Object.entries(extra).map(([key, values]) => [`Extra-${headerKey(key)}`, values])) };
  const headers: HeaderFields = { "Impersonate-User": headerText(user) };
  if (uid !== "") headers["Impersonate-Uid"] = headerText(uid);
  for (const [name, values] of Object.entries(lists)) {
    if (values.length > 0) headers[`Impersonate-${name}`] = values.map(headerText);
  }
  return headers;
}

/** Headers are sent as Latin-1, and the API server reads UTF-8. */
function headerText(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Percent-encodes characters that a header's name must not have (RFC 9110, section 5.6.2), and the percent sign, as client-go does. */
function headerKey(key: string): string {
  return [...Buffer.from(key, "utf8")].map((byte) => {
    const character = String.fromCharCode(byte);
    return /[!#$&'*+\-.^_`|~0-9A-Za-z]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}
