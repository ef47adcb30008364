/**
 * Finds what sessions left behind, by their labels. Only {@linkcode findLeftovers} asks the cluster; the judgement is pure.
 *
 * @module
 */
import type { Api } from "../../api/api.ts";
import { onStatus } from "../../api/api_error.ts";
import type { LiveMetadata } from "../../api/kubernetes_objects.ts";
import { isOverdue, type Presence } from "./client_presence.ts";
import { type FoundSession, listSessions, SESSION_SELECTOR } from "./find_sessions.ts";
import { jobPath } from "./remove_session.ts";
import { isOurs, isSamePerson, type Person, sessionOf } from "./session_owner.ts";

/** The kinds that a session owns, by their resource. */
const OWNED = {
  services: { kind: "service", root: "/api/v1" },
  secrets: { kind: "secret", root: "/api/v1" },
  deployments: { kind: "deployment", root: "/apis/apps/v1" },
  pods: { kind: "pod", root: "/api/v1" },
} as const;

/** Something that no client will return to. */
export interface Leftover {
  readonly kind: "session" | (typeof OWNED)[keyof typeof OWNED]["kind"];
  readonly namespace: string;
  /** The name that users know it by: a session is known by its Service. */
  readonly name: string;
  readonly uid: string;
  /** The path of the object to delete. */
  readonly path: string;
  readonly why: "ended" | "orphan" | Extract<Presence, { is: "away" }>;
}

/** What was found, and what could not be listed. */
export interface LeftoverSearch {
  readonly leftovers: readonly Leftover[];
  /** Resources that the user may not list, such as `secrets`. */
  readonly hidden: readonly string[];
}

/** An object of a kind that a session owns. */
export interface OwnedObject {
  readonly resource: keyof typeof OWNED;
  readonly metadata: LiveMetadata;
}

/** Looks for leftovers. @param namespace undefined for all namespaces @throws as {@linkcode Api.list} does, except for kinds that may not be listed */
export async function findLeftovers(
  api: Api,
  options: Person & { namespace: string | undefined; signal: AbortSignal },
): Promise<LeftoverSearch> {
  const { namespace, signal } = options;
  const hidden: string[] = [];
  // Listed before the Jobs: what a start creates in between would look like an orphan.
  const objects = await Promise.all((Object.keys(OWNED) as OwnedObject["resource"][]).map(async (resource) => {
    const path = `${OWNED[resource].root}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${resource}`;
    const list = await api.list(path, { query: { labelSelector: SESSION_SELECTOR }, signal }).catch(onStatus([403], undefined));
    if (!list) hidden.push(resource);
    return list?.items.map(({ metadata }) => ({ resource, metadata })) ?? [];
  }));
  const { sessions, now } = await listSessions(api, namespace, signal);
  return { leftovers: [...leftSessions(sessions, { ...options, now }), ...orphans(objects.flat(), sessions)], hidden };
}

/** Sessions that have ended or whose client will not return: the user's own without a client, and others' whose client is overdue as well. */
export function leftSessions(sessions: readonly FoundSession[], me: Person & { now: Date }): Leftover[] {
  return sessions.flatMap(({ namespace, owner, deleted, ending, presence }) => {
    if (deleted) return [];
    const lost = presence.is === "away" && (isSamePerson(owner, me) || isOverdue(owner, me.now)) ? presence : undefined;
    const why = ending ? "ended" : lost;
    const { name, uid, service } = owner;
    return why ? [{ kind: "session", namespace, name: service, uid, path: jobPath({ namespace, name }), why }] : [];
  });
}

/** Objects of kurun whose session's Job is gone. */
export function orphans(objects: readonly OwnedObject[], sessions: readonly FoundSession[]): Leftover[] {
  const uids = new Set(sessions.map(({ owner }) => owner.uid));
  const names = new Set(sessions.map(({ namespace, owner }) => `${namespace}/${owner.name}`));
  return objects.flatMap(({ resource, metadata }) => {
    const { namespace = "", name, uid, deletionTimestamp, ownerReferences = [] } = metadata;
    if (!isOurs(metadata) || deletionTimestamp) return [];
    const owner = ownerReferences.find(({ kind }) => kind === "Job");
    // The Pods of a Deployment go with it.
    if (resource === "pods" && !owner && ownerReferences.length > 0) return [];
    const there = owner ? uids.has(owner.uid) : names.has(`${namespace}/${sessionOf(metadata)}`);
    const { kind, root } = OWNED[resource];
    return there
      ? []
      : [{ kind, namespace, name, uid, path: `${root}/namespaces/${namespace}/${resource}/${name}`, why: "orphan" as const }];
  });
}
