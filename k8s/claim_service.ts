import type { Api } from "./api.ts";
import { ApiError } from "./api_error.ts";
import {
  decideOnService,
  type Endpoint,
  type FoundServices,
  isOurs,
  type ServiceDecision,
  type ServiceObject,
  type ServiceRefusal,
  type ServiceWish,
  type SessionJob,
  sessionOf,
  type SessionOwner,
} from "./existing_service.ts";
import { controlServiceName } from "./session_objects.ts";
import { workloadsOf } from "./workloads.ts";

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
  | { readonly is: "removing"; readonly session: SessionOwner }
  | { readonly is: "waiting"; readonly going: readonly string[] };

/** How the Service is had: made, or joined. */
export type ServiceClaim = Extract<ServiceDecision, { do: "create" | "join" }>;

/** Looks at both names, changing nothing. @throws as {@linkcode Api.request} does */
export async function lookAtServices(api: Api, namespace: string, name: string, signal: AbortSignal): Promise<FoundServices> {
  const core = `/api/v1/namespaces/${namespace}/services`;
  const [service, control] = await Promise.all([
    getIfThere<ServiceObject>(api, `${core}/${name}`, signal),
    getIfThere<ServiceObject>(api, `${core}/${controlServiceName(name)}`, signal),
  ]);
  const sessions = [service, control].flatMap((found) => found && isOurs(found.metadata) ? [sessionOf(found.metadata)] : []);
  const jobs = await Promise.all(
    [...new Set(sessions)].map((session) => getIfThere<SessionJob>(api, `/apis/batch/v1/namespaces/${namespace}/jobs/${session}`, signal)),
  );
  return {
    service,
    control,
    jobs: new Map(jobs.flatMap((job) => job ? [[job.metadata.name, job]] : [])),
    endpoints: service && !isOurs(service.metadata) ? await endpointsOf(api, namespace, name, signal) : [],
  };
}

/**
 * Makes the way clear for a session: removes what the same user's earlier one left, waits for what is about to go.
 * @param found the first look, which may have been taken meanwhile
 * @param say told each step once
 * @throws ServiceRefusedError, and what the API says
 */
export async function claimService(
  api: Api,
  options: { namespace: string; wish: ServiceWish; found: FoundServices; say: (step: ClaimStep) => void; signal: AbortSignal },
): Promise<ServiceClaim> {
  const { namespace, wish, say, signal } = options;
  const until = performance.now() + GONE_WITHIN_MS;
  let { found } = options;
  let told = "";
  let removed = "";
  for (;;) {
    const decision = decideOnService(found, wish);
    switch (decision.do) {
      case "create":
      case "join":
        return decision;
      case "refuse":
        throw await refusedError(api, decision.refusal, namespace, wish.name, signal);
      case "remove":
        if (decision.session.uid !== removed) {
          say({ is: "removing", session: decision.session });
          await removeSession(api, namespace, decision.session, signal);
          removed = decision.session.uid;
        }
        break;
      case "wait": {
        const { going } = decision;
        if (performance.now() > until) {
          throw await refusedError(api, { is: "stuck", going, seconds: GONE_WITHIN_MS / 1000 }, namespace, wish.name, signal);
        }
        // What we removed ourselves has been told, and goes in a moment.
        if (removed === "" && told !== going.join()) say({ is: "waiting", going });
        told = going.join();
      }
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    found = await lookAtServices(api, namespace, wish.name, signal);
  }
}

async function removeSession(api: Api, namespace: string, { name, uid }: SessionOwner, signal: AbortSignal): Promise<void> {
  try {
    await api.delete(`/apis/batch/v1/namespaces/${namespace}/jobs/${name}`, { propagationPolicy: "Background", uid, signal });
  } catch (error) {
    // It has gone by itself, or another has its name by now.
    if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 409)) throw error;
  }
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

async function getIfThere<T>(api: Api, path: string, signal: AbortSignal): Promise<T | undefined> {
  try {
    return (await api.get(path, { signal })).body as T;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
