/**
 * How a kubeconfig's user proves who they are: the headers of each request and the certificate of TLS.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { CredentialError } from "../api/cluster_access.ts";
import type { ExecCredentialSource } from "./exec_credential.ts";

/** A text that stands in a file, and may be replaced there at any time. */
export class FileText {
  readonly path: string;
  readonly #now: () => number;
  #text: string | undefined;
  #readAt = 0;

  /** @param now the time in milliseconds, of any clock */
  constructor(path: string, now: () => number) {
    this.path = path;
    this.#now = now;
  }

  /** The file's text, at most 10 s old. @throws {CredentialError} when it cannot be read */
  async read(): Promise<string> {
    if (this.#text !== undefined && this.#now() - this.#readAt < FILE_MAX_AGE_MS) return this.#text;
    try {
      this.#text = await Deno.readTextFile(this.path);
    } catch (cause) {
      throw new CredentialError(`Cannot read "${this.path}", which the kubeconfig names: ${(cause as Error).message}`, { cause });
    }
    this.#readAt = this.#now();
    return this.#text;
  }

  /** Has the next one read the file again. */
  forget(): void {
    this.#text = undefined;
  }
}

const FILE_MAX_AGE_MS = 10_000;

/** A text that is there, or stands in a file. */
export type TextSource = string | FileText;

/** Whom to pretend to be. */
export interface Impersonation {
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** What a user of the kubeconfig has, after the flags. */
export interface UserSettings {
  readonly name: string;
  readonly token?: TextSource | undefined;
  readonly basic?: { readonly username: string; readonly password: string } | undefined;
  /** PEM. */
  readonly cert?: TextSource | undefined;
  /** PEM. */
  readonly key?: TextSource | undefined;
  readonly exec?: ExecCredentialSource | undefined;
  readonly impersonation?: Impersonation | undefined;
}

/** What one connection is made with. */
export interface ResolvedCredentials {
  readonly headers: Record<string, string | string[]>;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** Gets the user's credentials as they are now. */
export class UserCredentials {
  readonly #user: UserSettings;
  readonly #impersonation: Record<string, string | string[]>;
  #checked: string | undefined;

  constructor(user: UserSettings) {
    this.#user = user;
    this.#impersonation = user.impersonation === undefined ? {} : impersonationHeaders(user.impersonation);
  }

  /** @throws {CredentialError} when they cannot be had or used */
  async resolve(): Promise<ResolvedCredentials> {
    const { token, basic, exec, name } = this.#user;
    const headers: Record<string, string | string[]> = { ...this.#impersonation };
    let cert = await readText(this.#user.cert);
    let key = await readText(this.#user.key);
    if (token !== undefined) {
      headers.Authorization = bearer((await readText(token))!.trim(), name);
    } else if (basic !== undefined) {
      headers.Authorization = `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString("base64")}`;
    } else if (exec !== undefined) {
      const credential = await exec.get();
      if (credential.token !== undefined) headers.Authorization = bearer(credential.token, name);
      cert = credential.certPem ?? cert;
      key = credential.keyPem ?? key;
    }
    if (cert === undefined || key === undefined) return { headers, cert: undefined, key: undefined };
    const pair = { cert: pemBlocks(cert, "CERTIFICATE"), key: pemBlocks(key, "[A-Z ]*PRIVATE KEY") };
    this.#check(pair);
    return { headers, ...pair };
  }

  /** Has all that was kept be asked for again. */
  forget(): void {
    for (const source of [this.#user.token, this.#user.cert, this.#user.key]) {
      if (source instanceof FileText) source.forget();
    }
    this.#user.exec?.forget();
  }

  /** Deno 2.6 panics at a certificate and a key that do not belong together, 2.9 sends none at all. */
  #check(pair: { cert: string; key: string }): void {
    if (this.#checked === pair.cert + pair.key) return;
    let same: boolean;
    try {
      const ofKey = createPublicKey(createPrivateKey(pair.key)).export({ type: "spki", format: "der" });
      const ofCert = publicKeyOf(new X509Certificate(pair.cert));
      same = ofCert === undefined || Buffer.from(ofKey).equals(Buffer.from(ofCert));
    } catch (cause) {
      throw new CredentialError(`Cannot use the client certificate and key of user "${this.#user.name}": ${(cause as Error).message}`);
    }
    if (!same) throw new CredentialError(`Cannot use the client certificate of user "${this.#user.name}": the key belongs to another`);
    this.#checked = pair.cert + pair.key;
  }
}

/** Undefined for a kind of key that Deno 2.6 cannot take out of a certificate, such as Ed25519. */
function publicKeyOf(certificate: X509Certificate): Uint8Array | undefined {
  try {
    return certificate.publicKey.export({ type: "spki", format: "der" });
  } catch {
    return undefined;
  }
}

async function readText(source: TextSource | undefined): Promise<string | undefined> {
  return source instanceof FileText ? await source.read() : source;
}

function bearer(token: string, user: string): string {
  // Else a header's line would end early, and the error would show the token.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new CredentialError(
      `Cannot use the token of user "${user}": it ${token === "" ? "is empty" : "holds characters that no token has"}`,
    );
  }
  return `Bearer ${token}`;
}

/** Only the blocks that are wanted: openssl puts `EC PARAMETERS` before a key, which Deno 2.6 cannot read. */
function pemBlocks(text: string, label: string): string {
  const blocks = text.match(new RegExp(`-----BEGIN (${label})-----[^-]*-----END \\1-----`, "g"));
  return blocks === null ? text : blocks.join("\n") + "\n";
}

/** The headers of the API server's user impersonation. */
export function impersonationHeaders(who: Impersonation): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { "Impersonate-User": headerText(who.user) };
  if (who.uid !== "") headers["Impersonate-Uid"] = headerText(who.uid);
  if (who.groups.length > 0) headers["Impersonate-Group"] = who.groups.map(headerText);
  for (const [key, values] of Object.entries(who.extra)) {
    if (values.length > 0) headers[`Impersonate-Extra-${headerKey(key)}`] = values.map(headerText);
  }
  return headers;
}

/** A header is sent as Latin-1; the API server reads UTF-8. */
function headerText(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Percent-encodes what may not stand in a header's name (RFC 9110 section 5.6.2), and the percent sign, as client-go does. */
function headerKey(key: string): string {
  return [...Buffer.from(key, "utf8")].map((byte) => {
    const character = String.fromCharCode(byte);
    return /[!#$&'*+\-.^_`|~0-9A-Za-z]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}
