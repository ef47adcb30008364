/**
 * What both sides say about themselves before any stream, and the proofs that both hold the session's key.
 *
 *     client → server   hello (JSON)
 *     server → client   hello (JSON)
 *     client → server   proof (32 bytes)
 *     server → client   1 and its proof (33 bytes), or 0 and a sentence
 *
 * The key is never sent. A proof covers the role (so it cannot be reflected), both nonces (so it cannot be replayed) and both hellos as
 * they were sent (so nothing in them can be changed on the way).
 *
 * @module
 */
import { concat, lengthAndBytes } from "./bytes.ts";
import { HandshakeError } from "./errors.ts";

/** The protocol's version. */
export const PROTOCOL_VERSION = 1;
/** The most that a message of the handshake may take. */
export const MAX_HELLO_BYTES = 4096;
/** The size of a session's key, of a nonce and of a proof. */
export const KEY_BYTES = 32;

/** One side's description of itself. */
export interface Hello {
  readonly version: number;
  /** What this side can do beyond the version; unknown words are ignored. */
  readonly capabilities: readonly string[];
  /** The session's name in the cluster. */
  readonly session: string;
  /** Identifies this run of this side; a client that reconnects keeps its own. */
  readonly instance: string;
  /** Who runs it and on which machine, to be shown. */
  readonly who: string;
  readonly from: string;
  /** 32 random bytes in base64. */
  readonly nonce: string;
}

/** Encodes a hello. @throws RangeError where it is too long */
export function encodeHello(hello: Hello): Uint8Array {
  const bytes = new TextEncoder().encode(JSON.stringify(hello));
  if (bytes.length > MAX_HELLO_BYTES) throw new RangeError(`A hello of ${bytes.length} bytes is too long`);
  return bytes;
}

/** Reads a hello. @throws HandshakeError that names the wrong part */
export function decodeHello(bytes: Uint8Array): Hello {
  if (bytes.length > MAX_HELLO_BYTES) throw new HandshakeError(`A hello of ${bytes.length} bytes is too long`);
  const { version, capabilities, session, instance, who, from, nonce } = parseObject("hello", bytes);
  if (version !== PROTOCOL_VERSION) {
    const spoken = JSON.stringify(version)?.slice(0, 20).replace(/\p{C}/gu, "");
    throw new HandshakeError(`The other side speaks version ${spoken}, not ${PROTOCOL_VERSION}`);
  }
  if (!Array.isArray(capabilities) || capabilities.length > 32 || !capabilities.every((word) => isName(word))) {
    throw new HandshakeError("The hello's capabilities are not a list of words");
  }
  if (!isName(session) || !isName(instance)) throw new HandshakeError("The hello does not name session and instance");
  if (!isShown(who) || !isShown(from)) throw new HandshakeError("The hello does not say who and from where");
  if (typeof nonce !== "string" || !/^[A-Za-z0-9+/]{43}=$/.test(nonce)) throw new HandshakeError("The hello's nonce is not 32 bytes");
  return { version, capabilities, session, instance, who, from, nonce };
}

/** Parses JSON of the other side. @param name what it is, for errors @throws HandshakeError unless it is an object */
export function parseObject(name: string, bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new HandshakeError(`The ${name} is not JSON`, { cause });
  }
  if (typeof value !== "object" || value === null) throw new HandshakeError(`The ${name} is not an object`);
  return value as Record<string, unknown>;
}

/** Makes a side's proof that it holds the key. @param client the client's hello as it was sent @param server the server's */
export async function proof(key: CryptoKey, role: "client" | "server", client: Uint8Array, server: Uint8Array): Promise<Uint8Array> {
  const clientHello = decodeHello(client);
  const serverHello = decodeHello(server);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", concat(lengthAndBytes(client), lengthAndBytes(server))));
  const texts = ["kurun/1", role, serverHello.session, clientHello.instance, clientHello.nonce, serverHello.nonce];
  const parts = [...texts.map((text) => new TextEncoder().encode(text)), digest];
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, concat(...parts.map(lengthAndBytes))));
}

/** Imports a session's key. @throws RangeError unless it has 32 bytes */
export function importKey(bytes: Uint8Array): Promise<CryptoKey> {
  if (bytes.length !== KEY_BYTES) throw new RangeError(`A session's key must have ${KEY_BYTES} bytes, got ${bytes.length}`);
  return crypto.subtle.importKey("raw", bytes.slice(), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

/** Compares in constant time, wherever the two differ. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$/.test(value);
}

/** The text is shown on terminals: control characters could be escape sequences. */
function isShown(value: unknown): value is string {
  return typeof value === "string" && value.length <= 253 && !/\p{C}/u.test(value);
}
