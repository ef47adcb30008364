import { parseDocument } from "yaml";
import { usageError } from "./errors.ts";
import { LONGEST_TIMER_MS } from "./timers.ts";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * Reads a duration as Kubernetes writes it: `90s`, `1m30s`, `500ms`, `0`. @returns milliseconds
 * @param mostMs the longest allowed duration, in milliseconds
 * @throws UserError naming the flag and the limit
 */
export function parseDuration(flag: string, text: string, mostMs = LONGEST_TIMER_MS): number {
  if (text === "0") return 0;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw usageError(`${flag} ${text} is not a duration: try 30s, 2m or 1h`);
  }
  const ms = parts.reduce((sum, [, value, unit]) => sum + Number(value) * (UNIT_MS[unit as string] as number), 0);
  if (ms > mostMs) {
    throw usageError(
      `${flag} must be 0 to ${mostMs < UNIT_MS.h! ? `${mostMs / UNIT_MS.m!}m` : `${Math.floor(mostMs / UNIT_MS.h!)}h`}, got ${text}`,
    );
  }
  return ms;
}

/** The highest port number. */
export const MAX_PORT = 65_535;

/** Reads a port's number. @throws UserError naming the flag */
export function parsePort(flag: string, text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > MAX_PORT) throw usageError(`${flag} must be 1 to ${MAX_PORT}, got ${text}`);
  return port;
}

/** A name of a Secret and of most other objects, and the prefix of a label: a DNS subdomain (RFC 1123). */
export const OBJECT_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** Checks the name of a Secret. @throws UserError naming the flag */
export function checkSecretName(flag: string, name: string): void {
  if (OBJECT_NAME.test(name)) return;
  throw usageError(`${flag} ${name} is not a valid Secret name: use lower-case letters, digits, - and ., at most 253 characters`);
}

/** Names of Services (RFC 1035); the session's, with `-kurun-` and five more, must fit into a label's 63 too. */
const SERVICE_NAME = /^[a-z]([a-z0-9-]{0,49}[a-z0-9])?$/;

/** Checks the value of `--servicename`. @throws UserError naming the rule */
export function checkServiceName(name: string): void {
  if (SERVICE_NAME.test(name)) return;
  throw usageError(`--servicename ${name} is not a valid Service name: use lower-case letters, digits and -, at most 51 characters`);
}

/** A random suffix for a name: five letters and digits without vowels, so that no words appear, as in Kubernetes. */
export function nameEnd(random: (length: number) => Uint8Array): string {
  return [...random(5)].map((byte) => "bcdfghjklmnpqrstvwxz2456789"[byte % 27]).join("");
}

/** Reads the value of a flag that takes JSON, YAML, or `@` and a file of either. @throws {UserError} naming the flag */
export async function readPatchFlag(flag: string, text: string): Promise<unknown> {
  let source = text;
  if (text.startsWith("@")) {
    const file = text.slice(1);
    source = await Deno.readTextFile(file).catch((cause) => {
      throw usageError(`${flag}: cannot read ${file}: ${(cause as Error).message}`, { cause });
    });
  }
  const document = parseDocument(source);
  const [error] = document.errors;
  if (error) throw usageError(`${flag} is neither JSON nor YAML: ${error.message.split("\n")[0]}`);
  return document.toJS();
}
