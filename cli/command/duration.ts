import { usageError } from "./errors.ts";
import { LONGEST_TIMER_MS } from "./timers.ts";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * Reads a duration as Kubernetes writes it: `90s`, `1m30s`, `500ms`, `0`.
 * @param mostMs the longest allowed duration, in milliseconds
 * @returns milliseconds
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
