import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import { askClient } from "./ask_client.ts";
import { judgePresence, type Presence } from "./client_presence.ts";
import { controlServiceName, MANAGED_BY, SESSION_LABEL } from "../objects/session_objects.ts";
import { isEnding, isOurs, type ObjectMetadata, type SessionJob, sessionOf, type SessionOwner, sessionOwner } from "./session_owner.ts";

/** What finds objects of sessions, all or of one kind. */
export const SESSION_SELECTOR = `${Object.entries(MANAGED_BY).map(([key, value]) => `${key}=${value}`).join(",")},${SESSION_LABEL}`;
/** So many Pods are asked at once. */
const ASKED_AT_ONCE = 16;

/** A session that is there. */
export interface FoundSession {
  readonly namespace: string;
  readonly owner: SessionOwner;
  /** ISO 8601. */
  readonly created: string;
  /** Whether somebody deleted it, and the cluster is about to finish that. */
  readonly deleted: boolean;
  /** Whether it is over, deleted or by its deadline. */
  readonly ending: boolean;
  readonly presence: Presence;
}

/** All sessions of a namespace, or of all, each with whether its client is there; and when that was so by the cluster's clock. */
export interface SessionList {
  readonly sessions: readonly FoundSession[];
  readonly now: Date;
}

/** Lists sessions. @param namespace undefined for all @throws as {@linkcode Api.request} does */
export async function listSessions(api: Api, namespace: string | undefined, signal: AbortSignal): Promise<SessionList> {
  const path = namespace === undefined ? "/apis/batch/v1/jobs" : `/apis/batch/v1/namespaces/${namespace}/jobs`;
  const { items, date = new Date() } = await api.list(path, { query: { labelSelector: SESSION_SELECTOR }, signal });
  const jobs = items as unknown as SessionJob[];
  const sessions: FoundSession[] = [];
  for (let at = 0; at < jobs.length; at += ASKED_AT_ONCE) {
    sessions.push(...await Promise.all(jobs.slice(at, at + ASKED_AT_ONCE).map((job) => look(api, job, date, signal))));
  }
  return { sessions, now: date };
}

/** The session that has a Service, or that has this name itself. @returns undefined where there is none @throws what the API says */
export async function findSession(api: Api, namespace: string, name: string, signal: AbortSignal): Promise<FoundSession | undefined> {
  const control = await getIfThere(api, `/api/v1/namespaces/${namespace}/services/${controlServiceName(name)}`, signal);
  const metadata = (control?.body as { metadata: ObjectMetadata } | undefined)?.metadata;
  const session = metadata && isOurs(metadata) ? sessionOf(metadata) : name;
  const answer = await getIfThere(api, `/apis/batch/v1/namespaces/${namespace}/jobs/${session}`, signal);
  const job = answer?.body as SessionJob | undefined;
  return job && isOurs(job.metadata) ? await look(api, job, answer?.date ?? new Date(), signal) : undefined;
}

async function look(api: Api, job: SessionJob, now: Date, signal: AbortSignal): Promise<FoundSession> {
  const owner = sessionOwner(job);
  const { namespace = "", creationTimestamp = "", deletionTimestamp } = job.metadata;
  const ending = isEnding(job);
  const client = ending ? undefined : await askClient(api, namespace, owner.service, signal);
  const presence = judgePresence(client, owner, now);
  return { namespace, owner, created: creationTimestamp, deleted: deletionTimestamp !== undefined, ending, presence };
}

async function getIfThere(api: Api, path: string, signal: AbortSignal): Promise<{ body: unknown; date: Date | undefined } | undefined> {
  try {
    return await api.get(path, { signal });
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
