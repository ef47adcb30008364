import { usageError } from "./errors.ts";

/** The highest port number. */
export const MAX_PORT = 65_535;

/** Reads a port's number. @throws UserError naming the flag */
export function parsePort(flag: string, text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > MAX_PORT) throw usageError(`${flag} must be 1 to ${MAX_PORT}, got ${text}`);
  return port;
}
