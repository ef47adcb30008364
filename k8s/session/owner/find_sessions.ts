import type { Api } from "../../api/api.ts";
import type { Job, Service } from "../../api/kubernetes_objects.ts";
import { controlServiceName, MANAGED_BY, objectPath, SESSION_LABEL } from "../objects/session_plan.ts";
import { askClient, judgePresence, type Presence } from "./client_presence.ts";
import { isEnding, isOurs, sessionOf, type SessionOwner, sessionOwner } from "./session_owner.ts";

/** The label selector of all objects of sessions. */
export const SESSION_SELECTOR = `${Object.entries(MANAGED_BY).map(([key, value]) => `${key}=${value}`).join(",")},${SESSION_LABEL}`;
/** How many Pods are asked at once. */
const ASKED_AT_ONCE = 16;

/** A session in the cluster, with whether its client is there. */
export interface FoundSession {
  readonly namespace: string;
  readonly owner: SessionOwner;
  /** ISO 8601. */
  readonly created: string;
  /** Whether somebody deleted it and the cluster has not finished yet. */
  readonly deleted: boolean;
  /** Whether it is over, deleted or by its deadline. */
  readonly ending: boolean;
  readonly presence: Presence;
}

/** Sessions, and the time of the list by the cluster's clock. */
export interface SessionList {
  readonly sessions: readonly FoundSession[];
  readonly now: Date;
}

/** Lists sessions. @param namespace undefined for all namespaces @throws as {@linkcode Api.list} does */
export async function listSessions(api: Api, namespace: string | undefined, signal: AbortSignal): Promise<SessionList> {
  const query = { labelSelector: SESSION_SELECTOR };
  const { items: jobs, date = new Date() } = await api.list<Job>(objectPath("Job", namespace), { query, signal });
  const sessions: FoundSession[] = [];
  for (let at = 0; at < jobs.length; at += ASKED_AT_ONCE) {
    sessions.push(...await Promise.all(jobs.slice(at, at + ASKED_AT_ONCE).map((job) => look(api, job, date, signal))));
  }
  return { sessions, now: date };
}

/** Finds a session by its own name or by that of its Service. @returns undefined if there is none @throws as {@linkcode Api.get} does */
export async function findSession(api: Api, namespace: string, name: string, signal: AbortSignal): Promise<FoundSession | undefined> {
  const control = await api.find<Service>(objectPath("Service", namespace, controlServiceName(name)), { signal });
  const session = control && isOurs(control.body.metadata) ? sessionOf(control.body.metadata) : name;
  const job = await api.find<Job>(objectPath("Job", namespace, session), { signal });
  return job && isOurs(job.body.metadata) ? await look(api, job.body, job.date ?? new Date(), signal) : undefined;
}

async function look(api: Api, job: Job, now: Date, signal: AbortSignal): Promise<FoundSession> {
  const owner = sessionOwner(job);
  const { namespace = "", creationTimestamp = "", deletionTimestamp } = job.metadata;
  const ending = isEnding(job);
  const client = ending ? undefined : await askClient(api, namespace, owner.service, signal);
  const presence = judgePresence(client, owner, now);
  return { namespace, owner, created: creationTimestamp, deleted: deletionTimestamp !== undefined, ending, presence };
}
