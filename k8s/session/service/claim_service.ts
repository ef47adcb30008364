import { Buffer } from "node:buffer";
import type { Api } from "../../api/api.ts";
import { onStatus } from "../../api/api_error.ts";
import type { Job, Secret } from "../../api/kubernetes_objects.ts";
import { sleep } from "../../api/sleep.ts";
import { workloadsOf } from "../../workloads/workloads.ts";
import { annotated, differingFlags } from "../objects/session_manifests.ts";
import { Annotation, type ForwardPlan, isWebhook, objectPath } from "../objects/session_plan.ts";
import { judgePresence, type Presence } from "../owner/client_presence.ts";
import { removeSession } from "../owner/remove_session.ts";
import { isSamePerson, type SessionOwner, sessionOwner } from "../owner/session_owner.ts";
import { retireSlices } from "./endpoint_slices.ts";
import { findServices, type FoundServices } from "./found_services.ts";
import {
  type AskedSession,
  decideOnService,
  decideOnSession,
  type OccupationDecision,
  type ServiceJoin,
  type ServiceRefusal,
} from "./service_decision.ts";

/** How long things that are being removed may take: a Pod's grace period is 30 s by default, that of kurun's Pod 10 s. */
const GONE_WITHIN_MS = 40_000;
const POLL_MS = 150;
/** A wait lists all Services of the namespace, which may be thousands, only this often. */
const LIST_MS = 1_000;

/** A Service under one of the session's names cannot be used. */
export class ServiceRefusedError extends Error {
  override readonly name = "ServiceRefusedError";

  /** @param workloads those of the live Pods, such as `deployment/web`, as far as they could be found */
  constructor(
    readonly refusal: ServiceRefusal,
    readonly namespace: string,
    readonly service: string,
    readonly workloads: readonly string[] = [],
  ) {
    super(`Service ${service} cannot be used: ${refusal.is}`);
  }
}

/** What a claim does before it succeeds. */
export type ClaimStep =
  | {
    readonly is: "removing";
    readonly session: SessionOwner;
    readonly mine: boolean;
    readonly why: RemovalReason;
    readonly differing: readonly string[];
  }
  | { readonly is: "waiting"; readonly going: readonly string[] };

/** Why an existing session is not resumed. */
export type RemovalReason = Extract<OccupationDecision, { do: "remove" }>["why"] | "no-key" | "webhook";

/** How the session gets the Service: by creating this plan's objects, or by resuming an existing session. */
export type ServiceClaim = NewClaim | AdoptableSession;

/** A session to create. */
export interface NewClaim {
  readonly do: "create";
  readonly plan: ForwardPlan;
  /** How an existing Service is joined, if it is. */
  readonly join: ServiceJoin | undefined;
}

/** A session to resume. */
export interface AdoptableSession {
  readonly do: "adopt";
  /** The plan, under the session's name. */
  readonly plan: ForwardPlan;
  readonly job: Job;
  /** The session's key, 32 bytes. */
  readonly key: Uint8Array;
  /** The control port's certificate, PEM. */
  readonly certificate: string;
  /** When the Job was read, by the cluster's clock. */
  readonly now: Date;
  readonly presence: Presence;
  readonly mine: boolean;
}

/** Options of {@linkcode claimService}. */
export interface ClaimOptions {
  readonly plan: ForwardPlan;
  /** The Service's port, if a flag names it. */
  readonly port: number | undefined;
  /** Whether to take an existing session from whoever has it. */
  readonly takeover: boolean;
  /** The first look, which the caller may have taken in parallel with something else. */
  readonly found: FoundServices;
  /** Called once for each step. */
  readonly say: (step: ClaimStep) => void;
  /** Called before a session for webhooks is removed: removes what depends on it. */
  readonly release: (session: SessionOwner) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Makes way for a session: finds one to resume, removes what the same user's earlier one left or what is taken over, and waits for what is
 * already being removed.
 * @throws {ServiceRefusedError} if the Service cannot be used; also as {@linkcode Api.request} does
 */
export async function claimService(api: Api, options: ClaimOptions): Promise<ServiceClaim> {
  const { plan, port, say, signal } = options;
  const { namespace, service, podLabels = {} } = plan;
  const until = performance.now() + GONE_WITHIN_MS;
  let { found } = options;
  // The given look may have waited for the user's rights: the first poll lists again.
  let listedAt = -Infinity;
  let told = "";
  let removed = "";
  for (;;) {
    const decision = decideOnService(found, { name: service, port, podLabels, podPort: plan.ports[0]?.targetPort });
    switch (decision.do) {
      case "create":
      case "join": {
        const join = decision.do === "join" ? decision : undefined;
        return { do: "create", plan: annotated(joined(plan, join)), join };
      }
      case "refuse":
        throw await refusedError(api, decision.refusal, plan, signal);
      case "ask":
        // What this start removed itself disappears in a moment; a session that appeared meanwhile is not removed as well.
        if (decision.job.metadata.uid !== removed) {
          const claim = await claimOccupied(api, { ...options, takeover: options.takeover && removed === "" }, decision, found);
          if (claim) return claim;
          removed = decision.job.metadata.uid;
        }
        break;
      case "wait": {
        const { going } = decision;
        if (performance.now() > until) throw await refusedError(api, { is: "stuck", going, seconds: GONE_WITHIN_MS / 1000 }, plan, signal);
        // The user has already been told about what this start removed itself.
        if (removed === "" && told !== going.join()) say({ is: "waiting", going });
        told = going.join();
        await retireSlices(api, found.slices, signal);
      }
    }
    await sleep(POLL_MS, signal);
    const isListed = performance.now() - listedAt < LIST_MS;
    if (!isListed) listedAt = performance.now();
    found = await findServices(api, namespace, service, signal, isListed ? found : undefined);
  }
}

/** @returns how to resume the session; undefined once it is being removed @throws as {@linkcode claimService} does */
async function claimOccupied(
  api: Api,
  { plan, takeover, say, release, signal }: ClaimOptions,
  { job, join, whole, live }: AskedSession,
  { client, now }: FoundServices,
): Promise<ServiceClaim | undefined> {
  const { namespace, service, annotations } = plan;
  const session = sessionOwner(job);
  const presence = judgePresence(client, session, now);
  const mine = isSamePerson(session, { who: annotations[Annotation.who] ?? "", from: annotations[Annotation.from] ?? "" });
  const wished = joined({ ...plan, name: session.name }, join);
  // The cluster may have refused or accepted the other session's ConfigMap.
  const places = (["ConfigMap", "Secret"] as const).map((serverIn) => annotated({ ...wished, serverIn }));
  const settled = places.find(({ annotations }) => annotations[Annotation.plan] === session.plan) ?? annotated(wished);
  const samePlan = whole && session.plan === settled.annotations[Annotation.plan];
  const decision = decideOnSession({ mine, presence, samePlan, takeover });
  if (decision.do === "refuse") throw new ServiceRefusedError({ is: "in-use", session, presence, mine }, namespace, service);
  const secrets = decision.do === "adopt" ? await readSecrets(api, namespace, session.name, signal) : undefined;
  if (decision.do === "adopt" && secrets) return { do: "adopt", plan: settled, job, ...secrets, now, presence, mine };
  if (live) throw await refusedError(api, live, plan, signal);
  const differing = differingFlags(session.flags, settled.annotations[Annotation.flags] ?? "");
  const why = isWebhook(plan) ? "webhook" : decision.do === "remove" ? decision.why : "no-key";
  say({ is: "removing", session, mine, why, differing });
  if (session.serves !== undefined) await release(session);
  // A connected client is not told first: it serves callers until the next Pod is ready, and then learns who has its Service.
  await removeSession(api, { namespace, service, name: session.name, uid: session.uid }, signal);
  return undefined;
}

function joined(plan: ForwardPlan, join: ServiceJoin | undefined): ForwardPlan {
  return join ? { ...plan, ports: join.ports, joined: join.joined } : plan;
}

async function refusedError(api: Api, refusal: ServiceRefusal, { namespace, service }: ForwardPlan, signal: AbortSignal) {
  const workloads = refusal.is === "live" ? await workloadsOf(api, namespace, refusal.pods, signal) : [];
  return new ServiceRefusedError(refusal, namespace, service, workloads);
}

/** The key and the certificate of an existing session; undefined if its Secret is gone, may not be read, or has another kind of key. */
async function readSecrets(
  api: Api,
  namespace: string,
  session: string,
  signal: AbortSignal,
): Promise<Pick<AdoptableSession, "key" | "certificate"> | undefined> {
  const secret = await api.get<Secret>(objectPath("Secret", namespace, session), { signal }).catch(onStatus([403, 404], undefined));
  const decoded = (name: string) => Buffer.from(secret?.body.data?.[name] ?? "", "base64");
  const key = Uint8Array.from(decoded("key"));
  return key.length === 32 ? { key, certificate: decoded("tls.crt").toString() } : undefined;
}
