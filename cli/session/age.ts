/** A time span as kubectl writes it: `42s`, `3m12s`, `5h7m`, `2d4h`. @param ms milliseconds; negative ones count as 0 */
export function age(ms: number): string {
  const joined = (large: string, small: number, unit: string) => `${large}${small > 0 ? `${small}${unit}` : ""}`;
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return joined(`${minutes}m`, seconds % 60, "s");
  if (hours < 3) return `${minutes}m`;
  if (hours < 8) return joined(`${hours}h`, minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  return days < 8 ? joined(`${days}d`, hours % 24, "h") : `${days}d`;
}
