import type { Validity } from "../../k8s/api/cluster_access.ts";

/** A certificate is about to expire in this time, or in a tenth of its lifetime if that is shorter: some live for a day only. */
const SOON_MS = 7 * 24 * 3_600_000;

/** How a certificate is no longer, not yet, or not much longer valid; undefined if it is fine. */
export function certificateEnd({ validFrom, validTo }: Validity, now: Date): string | undefined {
  const left = validTo.getTime() - now.getTime();
  if (left < 0) return `expired on ${validTo.toISOString()}`;
  if (validFrom > now) return `is not valid before ${validFrom.toISOString()}`;
  return left < Math.min(SOON_MS, (validTo.getTime() - validFrom.getTime()) / 10) ? `expires on ${validTo.toISOString()}` : undefined;
}
