import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import { dialTunnel } from "../../k8s/session/dial/tunnel_dial.ts";
import type { SessionPlan } from "../../k8s/session/objects/session_plan.ts";
import { handshakeAsClient, type HandshakeOptions, importKey, Session, type Transport } from "../../tunnel/mod.ts";
import type { Context } from "../command/context.ts";

/** The Pod answers in milliseconds. Otherwise the client notices at its next renewal that its session is gone. */
const TELL_MS = 3_000;

/**
 * Tells a session's client that this user replaces it, by connecting in its place: the server closes the client's connection with the
 * reason, and the client ends without removing anything. Failures are ignored.
 */
export async function tellReplaced(
  context: Context,
  access: ClusterAccess,
  { name, namespace, service }: Pick<SessionPlan, "name" | "namespace" | "service">,
  key: Uint8Array,
): Promise<void> {
  const signal = AbortSignal.any([context.interrupted, AbortSignal.timeout(TELL_MS)]);
  try {
    const transport = await dialTunnel(access, namespace, service, signal);
    try {
      const hello = { capabilities: [], session: name, instance: crypto.randomUUID(), who: context.who, from: context.from };
      await takePlace(transport, { key: await importKey(key), hello, signal }, context.now);
    } finally {
      transport.destroy();
    }
  } catch {
    // The client notices at its next renewal.
  }
}

/**
 * Becomes a session's client, and waits until the server has disconnected the previous one.
 * @param now milliseconds of a clock that never goes back
 * @throws HandshakeError, or an error if the server did not confirm in time
 */
export async function takePlace(transport: Transport, handshake: HandshakeOptions, now: () => number): Promise<void> {
  const { signal } = handshake;
  const { rest } = await handshakeAsClient(transport, handshake);
  signal.throwIfAborted();
  const ended = Promise.withResolvers<never>();
  const session = new Session(transport, { role: "client", now, onEnd: () => ended.reject(new Error("the session ended first")) });
  signal.addEventListener("abort", () => ended.reject(new Error("the server did not answer in time")));
  for (const message of rest) session.receive(message);
  // The server answers once it has disconnected the other client, and never if this session ends first.
  await Promise.race([session.ping(), ended.promise]);
}
