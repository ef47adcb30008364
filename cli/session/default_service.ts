import type { Purpose } from "../../k8s/session/role_rules.ts";

/** The Service of `kurun port-forward` without --servicename. */
export const FORWARD_SERVICE = "kurun";
/** The name of a matchCondition has at most 63 characters: that of the session, `-kurun-` and five more, and `.kurun.dev`. */
export const MAX_WEBHOOK_SERVICE = 41;
/** What the Service of `kurun webhook` begins with unless --servicename is given; the user's name follows. */
export const WEBHOOK_PREFIX = "kurun-webhook-";

/** A Service for each user of `kurun webhook`, so that several people can share a namespace. @param who the user's name on this machine */
export function webhookService(who: string): string {
  const length = MAX_WEBHOOK_SERVICE - WEBHOOK_PREFIX.length;
  return `${WEBHOOK_PREFIX}${who.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, length).replace(/^-+|-+$/g, "") || "user"}`;
}

/** The Services that commands use; some use none. @param named the value of --servicename @param who as for {@linkcode webhookService} */
export function servicesOf(purposes: readonly Purpose[], named: string | undefined, who: string): string[] {
  const usual: Readonly<Partial<Record<Purpose, string>>> = { "port-forward": FORWARD_SERVICE, webhook: webhookService(who) };
  const found = purposes.map((purpose) => usual[purpose] && (named ?? usual[purpose]));
  return [...new Set(found)].filter((service) => service !== undefined);
}
