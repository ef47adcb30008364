import { type Api, METADATA_LIST_ONLY } from "../../api/api.ts";
import { onStatus } from "../../api/api_error.ts";
import type { LiveMetadata } from "../../api/kubernetes_objects.ts";
import { objectPath } from "../objects/session_plan.ts";
import { isOverdue, type Presence } from "./client_presence.ts";
import { type FoundSession, listSessions, SESSION_SELECTOR } from "./find_sessions.ts";
import { isOurs, isSamePerson, type Person, sessionOf } from "./session_owner.ts";

/** The kinds that a session's Job owns, directly or not. */
const OWNED = ["Service", "Secret", "ConfigMap", "Deployment", "Pod", "EndpointSlice"] as const;

/** Something that no client will return to. */
export interface Leftover {
  readonly kind: "session" | Lowercase<(typeof OWNED)[number]>;
  readonly namespace: string;
  /** The name that users know it by: a session is known by its Service. */
  readonly name: string;
  readonly uid: string;
  /** The path of the object to delete. */
  readonly path: string;
  readonly why: "ended" | "orphan" | Extract<Presence, { is: "away" }>;
}

/** An object of a kind that a session owns. */
export interface OwnedObject {
  readonly kind: (typeof OWNED)[number];
  readonly metadata: LiveMetadata;
}

/**
 * Finds what sessions left behind, by their labels.
 * @param options.namespace undefined for all namespaces
 * @returns also the resources that the user may not list, such as `secrets`
 * @throws as {@linkcode Api.list} does
 */
export async function findLeftovers(
  api: Api,
  options: Person & { namespace: string | undefined; signal: AbortSignal },
): Promise<{ leftovers: Leftover[]; hidden: string[] }> {
  const { namespace, signal } = options;
  const hidden: string[] = [];
  // Listed before the Jobs: what a start creates in between would look like an orphan.
  const objects = await Promise.all(OWNED.map(async (kind) => {
    const options = { query: { labelSelector: SESSION_SELECTOR }, accept: METADATA_LIST_ONLY, signal };
    const list = await api.list(objectPath(kind, namespace), options).catch(onStatus([403], undefined));
    if (!list) hidden.push(`${kind.toLowerCase()}s`);
    return list?.items.map(({ metadata }) => ({ kind, metadata })) ?? [];
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
    return why ? [{ kind: "session", namespace, name: service, uid, path: objectPath("Job", namespace, name), why }] : [];
  });
}

/** Objects of kurun whose session's Job is gone. */
export function orphans(objects: readonly OwnedObject[], sessions: readonly FoundSession[]): Leftover[] {
  const uids = new Set(sessions.map(({ owner }) => owner.uid));
  const names = new Set(sessions.map(({ namespace, owner }) => `${namespace}/${owner.name}`));
  return objects.flatMap(({ kind, metadata }) => {
    const { namespace = "", name, uid, deletionTimestamp, ownerReferences = [] } = metadata;
    if (!isOurs(metadata) || deletionTimestamp) return [];
    const owner = ownerReferences.find(({ kind }) => kind === "Job");
    // The Pods of a Deployment go with it, and the EndpointSlices of a Pod.
    if (!owner && ownerReferences.length > 0) return [];
    if (owner ? uids.has(owner.uid) : names.has(`${namespace}/${sessionOf(metadata)}`)) return [];
    const shown = kind.toLowerCase() as Lowercase<typeof kind>;
    return [{ kind: shown, namespace, name, uid, path: objectPath(kind, namespace, name), why: "orphan" }];
  });
}
