import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import { askClient } from "../owner/ask_client.ts";
import { judgePresence, type Presence } from "../owner/client_presence.ts";
import {
  decideOnService,
  type Endpoint,
  type FoundServices,
  type ServiceJoin,
  type ServiceObject,
  type ServiceRefusal,
} from "./existing_service.ts";
import { decideOnOccupied, type OccupationDecision } from "../owner/occupied_service.ts";
import { annotated } from "../objects/plan_digest.ts";
import { removeSession } from "../owner/remove_session.ts";
import { readSessionKey } from "../owner/session_key.ts";
import { Annotation, controlServiceName, type SessionPlan } from "../objects/session_objects.ts";
import { isOurs, type SessionJob, sessionOf, type SessionOwner, sessionOwner } from "../owner/session_owner.ts";
import { workloadsOf } from "../../workloads/workloads.ts";

/** How long what is about to go may take: a Pod's grace is 30 s by default, ours is 10 s. */
const GONE_WITHIN_MS = 40_000;
const POLL_MS = 150;

/** A Service is there already under a name that the session wants, and cannot be used. */
export class ServiceRefusedError extends Error {
  override readonly name = "ServiceRefusedError";
  readonly refusal: ServiceRefusal;
  readonly service: string;
  readonly namespace: string;
  /** What makes the live Pods, as `deployment/web`, as far as it could be found. */
  readonly workloads: readonly string[];

  constructor(refusal: ServiceRefusal, where: { service: string; namespace: string; workloads?: readonly string[] }) {
    super(`Service ${where.service} cannot be used: ${refusal.is}`);
    this.refusal = refusal;
    this.service = where.service;
    this.namespace = where.namespace;
    this.workloads = where.workloads ?? [];
  }
}

/** What a claim does before it is done. */
export type ClaimStep =
  | { readonly is: "removing"; readonly session: SessionOwner; readonly mine: boolean; readonly why: RemovalReason }
  | { readonly is: "waiting"; readonly going: readonly string[] };

/** Why a session that is there is not gone on with. */
export type RemovalReason = Extract<OccupationDecision, { do: "remove" }>["why"] | "no-key";

/** How the Service is had: by a session of this plan that is still to be made, or by going on as one that is there. */
export type ServiceClaim =
  | { readonly do: "create"; readonly plan: SessionPlan; readonly unserved: readonly string[] }
  | ({ readonly do: "adopt" } & AdoptableSession);

/** A session to go on as. */
export interface AdoptableSession {
  /** The plan, under the session's name. */
  readonly plan: SessionPlan;
  readonly job: SessionJob;
  /** The session's key, 32 bytes. */
  readonly key: Uint8Array;
  /** When the Job was read, by the cluster's clock. */
  readonly now: Date;
  readonly presence: Presence;
  readonly mine: boolean;
}

/** What {@linkcode claimService} works with. */
export interface ClaimOptions {
  readonly plan: SessionPlan;
  /** The Service's port that was asked for by flag. */
  readonly port: number | undefined;
  /** Whether a session that is there is to be taken from whoever has it. */
  readonly takeover: boolean;
  /** The first look, which may have been taken meanwhile. */
  readonly found: FoundServices;
  /** Told each step once. */
  readonly say: (step: ClaimStep) => void;
  /** Tells a client that is connected that it loses its session, before that is removed. */
  readonly tellClient: (session: SessionOwner, key: Uint8Array) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Looks at both names, changing nothing. @throws as {@linkcode Api.request} does */
export async function lookAtServices(api: Api, namespace: string, name: string, signal: AbortSignal): Promise<FoundServices> {
  const core = `/api/v1/namespaces/${namespace}/services`;
  const [service, control] = await Promise.all([
    getIfThere<ServiceObject>(api, `${core}/${name}`, signal),
    getIfThere<ServiceObject>(api, `${core}/${controlServiceName(name)}`, signal),
  ]);
  const found = [service, control].flatMap((answer) => answer && isOurs(answer.object.metadata) ? [sessionOf(answer.object.metadata)] : []);
  const asked = control && isOurs(control.object.metadata) && !control.object.metadata.deletionTimestamp;
  const [client, ...jobs] = await Promise.all([
    asked ? askClient(api, namespace, name, signal) : undefined,
    ...[...new Set(found)].map((session) => getIfThere<SessionJob>(api, `/apis/batch/v1/namespaces/${namespace}/jobs/${session}`, signal)),
  ]);
  return {
    service: service?.object,
    control: control?.object,
    jobs: new Map(jobs.flatMap((job) => job ? [[job.object.metadata.name, job.object]] : [])),
    endpoints: service && !isOurs(service.object.metadata) ? await endpointsOf(api, namespace, name, signal) : [],
    client,
    now: jobs.find((job) => job?.date)?.date ?? new Date(),
  };
}

/**
 * Makes the way clear for a session: finds one to go on as, removes what the same user's earlier one left or what is to be taken over,
 * waits for what is about to go.
 * @throws ServiceRefusedError, and what the API says
 */
export async function claimService(api: Api, options: ClaimOptions): Promise<ServiceClaim> {
  const { plan, port, say, signal } = options;
  const { namespace, service } = plan;
  const until = performance.now() + GONE_WITHIN_MS;
  let { found } = options;
  let told = "";
  let removed = "";
  for (;;) {
    const decision = decideOnService(found, { name: service, port });
    switch (decision.do) {
      case "create":
        return { do: "create", plan: annotated(plan), unserved: [] };
      case "join":
        return { do: "create", plan: annotated(joined(plan, decision)), unserved: decision.unserved };
      case "refuse":
        throw await refusedError(api, decision.refusal, namespace, service, signal);
      case "ask":
        // What we removed ourselves goes in a moment; who came meanwhile is not removed too.
        if (decision.job.metadata.uid !== removed) {
          const claim = await claimOccupied(api, { ...options, takeover: options.takeover && removed === "" }, decision, found);
          if (claim) return claim;
          removed = decision.job.metadata.uid;
        }
        break;
      case "wait": {
        const { going } = decision;
        if (performance.now() > until) {
          throw await refusedError(api, { is: "stuck", going, seconds: GONE_WITHIN_MS / 1000 }, namespace, service, signal);
        }
        // What we removed ourselves has been told, and goes in a moment.
        if (removed === "" && told !== going.join()) say({ is: "waiting", going });
        told = going.join();
      }
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    found = await lookAtServices(api, namespace, service, signal);
  }
}

/** @returns how to go on as the session; undefined once it is being removed @throws ServiceRefusedError, and what the API says */
async function claimOccupied(
  api: Api,
  { plan, takeover, say, tellClient, signal }: ClaimOptions,
  { job, join, whole }: { job: SessionJob; join: ServiceJoin | undefined; whole: boolean },
  { client, now }: FoundServices,
): Promise<ServiceClaim | undefined> {
  const { namespace, service } = plan;
  const session = sessionOwner(job);
  const presence = judgePresence(client, session, now);
  const mine = session.who === plan.annotations[Annotation.who] && session.from === plan.annotations[Annotation.from];
  const settled = annotated(joined({ ...plan, name: session.name }, join));
  const samePlan = whole && session.plan === settled.annotations[Annotation.plan];
  const decision = decideOnOccupied({ mine, presence, samePlan, takeover });
  if (decision.do === "refuse") throw new ServiceRefusedError({ is: "in-use", session, presence, mine }, { service, namespace });
  const isConnected = presence.is === "connected";
  const key = decision.do === "adopt" || isConnected ? await readSessionKey(api, namespace, session.name, signal) : undefined;
  if (decision.do === "adopt" && key) return { do: "adopt", plan: settled, job, key, now, presence, mine };
  say({ is: "removing", session, mine, why: decision.do === "remove" ? decision.why : "no-key" });
  if (isConnected && key) await tellClient(session, key);
  await removeSession(api, { namespace, service, name: session.name, uid: session.uid }, signal);
  return undefined;
}

function joined(plan: SessionPlan, join: ServiceJoin | undefined): SessionPlan {
  return join ? { ...plan, ports: join.ports, joined: { selector: join.selector } } : plan;
}

async function endpointsOf(api: Api, namespace: string, service: string, signal: AbortSignal): Promise<Endpoint[]> {
  const { items } = await api.list(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, {
    query: { labelSelector: `kubernetes.io/service-name=${service}` },
    signal,
  });
  return items.flatMap((slice) => (slice as { endpoints?: Endpoint[] }).endpoints ?? []);
}

async function refusedError(api: Api, refusal: ServiceRefusal, namespace: string, service: string, signal: AbortSignal) {
  const workloads = refusal.is === "live" ? await workloadsOf(api, namespace, refusal.pods, signal) : [];
  return new ServiceRefusedError(refusal, { service, namespace, workloads });
}

async function getIfThere<T>(api: Api, path: string, signal: AbortSignal): Promise<{ object: T; date: Date | undefined } | undefined> {
  try {
    const { body, date } = await api.get(path, { signal });
    return { object: body as T, date };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
