import { ApiError } from "../../k8s/api/api_error.ts";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import { dialTunnel } from "../../k8s/session/dial/tunnel_dial.ts";
import { importKey } from "../../tunnel/mod.ts";
import type { Context } from "../command/context.ts";
import type { StartedSession } from "./start_session.ts";
import type { TunnelLinkOptions } from "./tunnel_link.ts";

/** What {@link sessionLink} is made from. */
export interface SessionLinkOptions {
  readonly context: Context;
  readonly access: ClusterAccess;
  readonly started: StartedSession;
  /** What this client can do beside carrying callers' bytes. */
  readonly capabilities: string[];
}

/** Those of a tunnel's options that follow from its session: how its Pod is dialled, and who we say we are. */
export async function sessionLink(
  { context, access, started: { session: { plan }, key }, capabilities }: SessionLinkOptions,
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
