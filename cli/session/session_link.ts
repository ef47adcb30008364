import { ApiError } from "../../k8s/api/api_error.ts";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import { dialTunnel } from "../../k8s/session/dial/tunnel_dial.ts";
import { importKey } from "../../tunnel/mod.ts";
import type { Context } from "../command/context.ts";
import type { StartedSession } from "./start_session.ts";
import type { TunnelLinkOptions } from "./tunnel_link.ts";

/**
 * The options of a tunnel that follow from its session.
 * @param capabilities what this client can do besides carrying callers' bytes
 */
export async function sessionLink(
  { context, access }: { readonly context: Context; readonly access: ClusterAccess },
  { session: { plan }, key }: StartedSession,
  capabilities: string[],
): Promise<Pick<TunnelLinkOptions, "dial" | "handshake" | "isRefusal" | "now" | "date" | "chance">> {
  return {
    dial: (signal) => dialTunnel(access, plan.namespace, plan.service, signal),
    handshake: {
      key: await importKey(key),
      hello: { capabilities, session: plan.name, instance: crypto.randomUUID(), who: context.who, from: context.from },
    },
    isRefusal: (error) => error instanceof ApiError && error.status === 403,
    now: context.now,
    date: context.date,
    chance: Math.random,
  };
}
