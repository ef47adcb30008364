import type { Api } from "../../k8s/api/api.ts";
import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import { selfSignedServerCertificate } from "../../k8s/certificate/certificate.ts";
import {
  type AdoptableSession,
  claimService,
  type ClaimStep,
  type RemovalReason,
  type ServiceClaim,
  ServiceRefusedError,
} from "../../k8s/session/service/claim_service.ts";
import { dialTunnel } from "../../k8s/session/dial/tunnel_dial.ts";
import { findServices } from "../../k8s/session/service/found_services.ts";
import { checkPodPatchTaken } from "../../k8s/session/pod/pod_patch_check.ts";
import { fitCluster } from "../../k8s/session/pod/fit_cluster.ts";
import { checkRights, sessionRights } from "../../k8s/session/session_rights.ts";
import { ClusterSession, ObjectExistsError, SessionGoneError, SessionTakenError } from "../../k8s/session/session.ts";
import { Annotation, controlServiceName, type ForwardPlan, type SessionPlan } from "../../k8s/session/objects/session_plan.ts";
import { sessionOwner } from "../../k8s/session/owner/session_owner.ts";
import { handshakeAsClient, type HandshakeOptions, importKey, KEY_BYTES, Session, type Transport } from "../../tunnel/mod.ts";
import { nameEnd } from "../command/flag_values.ts";
import type { Context } from "../command/context.ts";

/** Attempts: another start can create or remove a session between the check and the creation. */
const MAX_TRIES = 5;
/** The Pod answers in milliseconds. Otherwise the client notices at its next renewal that its session is gone. */
const TELL_MS = 3_000;

/** Options of {@link startSession}. */
export interface StartOptions {
  readonly context: Context;
  readonly access: ClusterAccess;
  readonly api: Api;
  readonly plan: ForwardPlan;
  /** The value of --serviceport, if given. */
  readonly port: number | undefined;
  /** Whether to take an existing session from its user. */
  readonly takeover: boolean;
}

/** A session that was created or adopted. */
export interface StartedSession<Plan extends SessionPlan = SessionPlan> {
  readonly session: ClusterSession<Plan>;
  /** Its key, 32 bytes. */
  readonly key: Uint8Array;
}

/** Creates a session, or adopts an existing one. @throws as {@link preflight} does; also API errors */
export async function startSession(options: StartOptions): Promise<StartedSession<ForwardPlan>> {
  const { context, access, api, port } = options;
  let { plan, takeover } = options;
  for (let tries = 1;; tries++) {
    const claim = await preflight({ context, access, api, plan, port, takeover });
    try {
      if (claim.do === "create") return await createSession(context, api, claim.plan);
      const session = await ClusterSession.adopt(api, claim.plan, claim, context.now);
      context.stderr(`${describeAdoption(claim)}\n`);
      return { session, key: claim.key };
    } catch (error) {
      if (error instanceof SessionTakenError) throw refusedTo(claim.plan, error);
      const lost = error instanceof ObjectExistsError && error.kind === "Service";
      if (tries === MAX_TRIES || !(lost || (claim.do === "adopt" && error instanceof SessionGoneError))) throw error;
      // --takeover means the session that existed before, not one of a start that was faster.
      if (lost) takeover = false;
      plan = { ...plan, name: sessionName(context, plan.service) };
    }
  }
}

/**
 * Checks the rights and the names before anything is created, in one round trip if nothing is in the way.
 * @returns the plan of the session to create, or the session to adopt
 * @throws MissingRightsError, ServiceRefusedError, PodPatchRefusedError; also API errors
 */
export async function preflight({ context, access, api, plan, port, takeover }: StartOptions): Promise<ServiceClaim> {
  const { namespace, service } = plan;
  const signal = context.interrupted;
  const say = (line: string) => context.stderr(`${line}\n`);
  const looking = findServices(api, namespace, service, signal);
  const fitting = fitCluster(api, plan, signal);
  // Each can fail first; a missing right is reported as such.
  for (const promise of [looking, fitting]) promise.catch(() => {});
  await checkRights(api, sessionRights(plan), "rbac.yaml", signal);
  const claim = await claimService(api, {
    plan: await fitting,
    port,
    takeover,
    found: await looking,
    say: (step) => say(describeStep(step, service)),
    tellClient: ({ name }, key) => tellReplaced(context, access, { name, namespace, service }, key),
    signal,
  });
  if (claim.do === "adopt") return claim;
  if (claim.plan.podPatch) await checkPodPatchTaken(api, claim.plan, signal);
  if (claim.unchecked) {
    say(`Warning: could not check whether another Service selects the same Pods as ${service}: this needs the right to list services`);
  }
  for (const unserved of claim.unserved) say(`Service ${service}'s port ${unserved} is not served: only TCP is`);
  for (const sibling of claim.siblings) {
    say(`Warning: Service ${sibling} selects the same Pods as ${service}: its callers are refused if they reach kurun's Pod`);
  }
  return claim;
}

function describeStep(step: ClaimStep, service: string): string {
  if (step.is === "waiting") return `Waiting until ${step.going.join(", ")} ${step.going.length === 1 ? "is" : "are"} deleted`;
  const { session: { who, from, since, upstream }, mine, why, differing } = step;
  const whose = mine ? "your earlier session" : `the session of ${who} on ${from}`;
  return `Replacing ${whose} at Service ${service} (since ${since}, for ${upstream}): ${
    why === "other-plan" && differing.length > 0 ? `${differing.join(", ")} ${differing.length === 1 ? "differs" : "differ"}` : BECAUSE[why]
  }`;
}

const BECAUSE: Readonly<Record<RemovalReason, string>> = {
  "other-plan": "it is incomplete, or another version of kurun created it",
  "no-key": "its key cannot be read",
  "client-unknown": "its client may be about to connect",
};

/** Makes a name for a session of a Service. */
export function sessionName(context: Context, service: string): string {
  return `${service}-kurun-${nameEnd(context.random)}`;
}

/** Creates a session with a new key and certificate. @throws as {@link ClusterSession.create} does */
export async function createSession<Plan extends SessionPlan>(context: Context, api: Api, plan: Plan): Promise<StartedSession<Plan>> {
  const key = context.random(KEY_BYTES);
  const { certPem: cert, keyPem: certKey } = await selfSignedServerCertificate({
    names: [controlServiceName(plan.service)],
    days: 365,
    now: context.date(),
  });
  return { session: await ClusterSession.create(api, plan, { key, cert, certKey }, context.now), key };
}

function describeAdoption({ job, presence, mine }: AdoptableSession): string {
  const { name, who, from, since, seen } = sessionOwner(job);
  if (mine && presence.is === "away") {
    return `Resumed your session ${name}, which has had no client since ${presence.since || seen}; its Service and address are the same`;
  }
  return `Took over session ${name} from ${who} on ${from}, who had used it since ${since}`;
}

function refusedTo({ namespace, service, annotations }: ForwardPlan, { session }: SessionTakenError): ServiceRefusedError {
  const mine = session.who === annotations[Annotation.who] && session.from === annotations[Annotation.from];
  const presence = { is: "connected", since: session.since } as const;
  return new ServiceRefusedError({ is: "in-use", session, presence, mine }, namespace, service);
}

/**
 * Tells a session's client that this user replaces it, by connecting in its place: the server closes the client's connection with the
 * reason, and the client ends without removing anything. Failures are ignored.
 */
async function tellReplaced(
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

/** Becomes a session's client and waits until the server has disconnected the previous one. @throws HandshakeError, or if it is late */
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
