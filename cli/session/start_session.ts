import type { Api } from "../../k8s/api/api.ts";
import { selfSignedServerCertificate } from "../../k8s/certificate/certificate.ts";
import {
  type AdoptableSession,
  claimService,
  type ClaimStep,
  type RemovalReason,
  type ServiceClaim,
  ServiceRefusedError,
} from "../../k8s/session/service/claim_service.ts";
import type { TunnelWay } from "../../k8s/session/dial/tunnel_dialer.ts";
import { findServices } from "../../k8s/session/service/found_services.ts";
import type { ServiceJoin } from "../../k8s/session/service/service_decision.ts";
import { checkPodPatchTaken } from "../../k8s/session/pod/pod_patch_check.ts";
import { fitCluster } from "../../k8s/session/pod/fit_cluster.ts";
import { checkRights, type Transport } from "../../k8s/session/session_rights.ts";
import { ClusterSession, ObjectExistsError, SessionGoneError, SessionTakenError } from "../../k8s/session/session.ts";
import { Annotation, controlServiceName, type ForwardPlan, isWebhook, type SessionPlan } from "../../k8s/session/objects/session_plan.ts";
import { type SessionOwner, sessionOwner } from "../../k8s/session/owner/session_owner.ts";
import { KEY_BYTES } from "../../tunnel/mod.ts";
import { nameEnd } from "../command/flag_values.ts";
import type { Context } from "../command/context.ts";

/** Attempts: another start can create or remove a session between the check and the creation. */
const MAX_TRIES = 5;

/** Options of {@link startSession}. */
export interface StartOptions {
  readonly context: Context;
  readonly api: Api;
  readonly plan: ForwardPlan;
  /** The value of --serviceport, if given. */
  readonly port: number | undefined;
  /** Whether to take an existing session from its user. */
  readonly takeover: boolean;
  /** The value of --transport. */
  readonly transport: Transport;
  /** Called once the user is known to have the rights, before anything changes. @throws if the session must not be created */
  readonly check?: (plan: ForwardPlan) => Promise<void>;
}

/** A session that was created or adopted. */
export interface StartedSession<Plan extends SessionPlan = SessionPlan> {
  readonly session: ClusterSession<Plan>;
  /** Its key, 32 bytes. */
  readonly key: Uint8Array;
  /** The control port's certificate, PEM. */
  readonly certificate: string;
  /** The ways that the tunnel may take, the preferred one first. */
  readonly ways: readonly TunnelWay[];
}

/** Creates a session, or adopts an existing one. @throws as {@link preflight} does; also API errors */
export async function startSession(options: StartOptions): Promise<StartedSession<ForwardPlan>> {
  const { context, api } = options;
  let { plan, takeover } = options;
  for (let tries = 1;; tries++) {
    const { claim, ways } = await preflight({ ...options, plan, takeover });
    try {
      if (claim.do === "create") return await createSession(context, api, claim.plan, ways);
      const session = await ClusterSession.adopt(api, claim.plan, claim, context.now);
      context.stderr(`${describeAdoption(claim)}\n`);
      return { session, key: claim.key, certificate: claim.certificate, ways };
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
 * @returns the plan of the session to create, or the session to adopt, and the ways that the tunnel may take
 * @throws MissingRightsError, ServiceRefusedError, PodPatchRefusedError; also API errors
 */
export async function preflight(
  { context, api, plan, port, takeover, transport, check }: StartOptions,
): Promise<{ claim: ServiceClaim; ways: readonly TunnelWay[] }> {
  const { namespace, service } = plan;
  const signal = context.interrupted;
  const say = (line: string) => context.stderr(`${line}\n`);
  const looking = findServices(api, namespace, service, signal);
  const fitting = fitCluster(api, plan, signal);
  // Each can fail first; a missing right is reported as such.
  for (const promise of [looking, fitting]) promise.catch(() => {});
  // Without it callers wait until the first Pod is ready (k8s/session/pod/early_calls.ts).
  const optional = { verb: "patch", resource: "services", name: service, namespace };
  const { ways, optional: mayPatch } = await checkRights(
    api,
    { purpose: isWebhook(plan) ? "webhook" : "port-forward", ...plan },
    transport,
    signal,
    optional,
  );
  await check?.(plan);
  const found = await looking;
  const told = (step: ClaimStep) => say(describeStep(step, service));
  const release = async (session: SessionOwner) => {
    // Only a start that replaces a webhook session needs this.
    const { releaseWebhooks } = await import("./release_webhooks.ts");
    await releaseWebhooks(api, { ...session, namespace }, say, signal);
  };
  const claim = await claimService(api, { plan: await fitting, port, takeover, found, say: told, release, signal });
  if (claim.do === "adopt") return { claim, ways };
  if (claim.plan.podPatch) await checkPodPatchTaken(api, claim.plan, signal);
  if (!found.all && Object.keys(plan.podLabels ?? {}).length > 0) {
    say("Warning: could not check whether a Service selects the labels of --label: this needs the right to list services");
  }
  if (claim.join) say(describeJoin(service, claim.join));
  return { claim: { ...claim, plan: { ...claim.plan, early: mayPatch && !claim.join } }, ways };
}

/** How a Service is joined, and what is left out. */
function describeJoin(service: string, { joined, unserved, siblings }: ServiceJoin): string {
  const way = "selector" in joined ? "the labels that it selects, because you may not create and patch EndpointSlices" : "an EndpointSlice";
  const others = siblings.length === 1 ? "selects the same Pods and is not served" : "select the same Pods and are not served";
  return [
    `Joining Service ${service} by ${way}${siblings.length > 0 ? `; ${siblings.join(", ")} ${others}` : ""}`,
    ...unserved.map((port) => `Service ${service}'s port ${port} is not served: kurun serves only TCP`),
  ].join("\n");
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
  "webhook": "each start makes its own webhook configurations",
};

/** Makes a name for a session of a Service. */
export function sessionName(context: Context, service: string): string {
  return `${service}-kurun-${nameEnd(context.random)}`;
}

/** Creates a session with a new key and certificate. @throws as {@link ClusterSession.create} does */
export async function createSession<Plan extends SessionPlan>(
  context: Context,
  api: Api,
  plan: Plan,
  ways: readonly TunnelWay[],
): Promise<StartedSession<Plan>> {
  const key = context.random(KEY_BYTES);
  const { certPem: cert, keyPem: certKey } = await selfSignedServerCertificate({
    names: [controlServiceName(plan.service)],
    days: 365,
    now: context.date(),
  });
  return { session: await ClusterSession.create(api, plan, { key, cert, certKey }, context.now), key, certificate: cert, ways };
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
