import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import { dialTunnel } from "../../k8s/session/tunnel_dial.ts";
import { handshakeAsClient, importKey, Session } from "../../tunnel/mod.ts";
import type { Context } from "../context.ts";

/** The Pod answers in milliseconds, or the client there learns it when its session is gone. */
const TELL_MS = 3_000;

/** A session whose client is to be told. */
export interface ReplacedSession {
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
}

/**
 * Tells a session's client that this user takes its place, by taking it for a moment: the server closes the client's connection with the
 * reason, and it ends without removing anything. Where that cannot be done it goes without.
 */
export async function tellReplaced(context: Context, access: ClusterAccess, session: ReplacedSession, key: Uint8Array): Promise<void> {
  const signal = AbortSignal.any([context.interrupted, AbortSignal.timeout(TELL_MS)]);
  try {
    const transport = await dialTunnel(access, session.namespace, session.service, signal);
    try {
      const { rest } = await handshakeAsClient(transport, {
        key: await importKey(key),
        hello: { capabilities: [], session: session.name, instance: crypto.randomUUID(), who: context.who, from: context.from },
        random: context.random,
        signal,
      });
      const taken = new Session(transport, { role: "client", now: context.now });
      for (const message of rest) taken.receive(message);
      // Its answer comes once the server has let the other go.
      await taken.ping();
      taken.close(1000, "the session is about to be removed");
    } catch (error) {
      transport.destroy();
      throw error;
    }
  } catch {
    // It learns it when it moves the deadline next.
  }
}
