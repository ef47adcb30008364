import { usageError } from "./errors.ts";

const MAX_PORT = 65_535;

/** Reads a port's number. @throws UserError naming the flag */
export function parsePort(flag: string, text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > MAX_PORT) throw usageError(`${flag} ${text} is no port: 1 to ${MAX_PORT}`);
  return port;
}
