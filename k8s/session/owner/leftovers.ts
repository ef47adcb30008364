/**
 * What sessions have left behind, by their labels. The judgement is pure; {@linkcode findLeftovers} looks.
 *
 * @module
 */
import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import { isOverdue, type Presence } from "./client_presence.ts";
import { type FoundSession, listSessions, SESSION_SELECTOR } from "./list_sessions.ts";
import { isOurs, type ObjectMetadata, sessionOf } from "./session_owner.ts";

/** The kinds that a session owns, by their resource. */
const OWNED = {
  services: { kind: "service", root: "/api/v1" },
  secrets: { kind: "secret", root: "/api/v1" },
  deployments: { kind: "deployment", root: "/apis/apps/v1" },
  pods: { kind: "pod", root: "/api/v1" },
} as const;

/** Something that nobody will come back for. */
export interface Leftover {
  readonly kind: "session" | (typeof OWNED)[keyof typeof OWNED]["kind"];
  readonly namespace: string;
  /** What people call it: a session goes by its Service. */
  readonly name: string;
  readonly uid: string;
  /** What is deleted. */
  readonly path: string;
  readonly why: "ended" | "orphan" | Extract<Presence, { is: "away" }>;
}

/** What was found, and what could not be looked at. */
export interface LeftoverSearch {
  readonly leftovers: readonly Leftover[];
  /** Resources that the user may not list, as `secrets`. */
  readonly hidden: readonly string[];
}

/** An object of a kind that a session owns. */
export interface OwnedObject {
  readonly resource: keyof typeof OWNED;
  readonly metadata: ObjectMetadata;
}

/** Looks for what is left. @param namespace undefined for all @throws what the API says, but for kinds that may not be listed */
export async function findLeftovers(
  api: Api,
  options: { namespace: string | undefined; who: string; from: string; signal: AbortSignal },
): Promise<LeftoverSearch> {
  const { namespace, signal } = options;
  const hidden: string[] = [];
  // Before the Jobs: what a start makes in between would look like an orphan.
  const objects = await Promise.all((Object.keys(OWNED) as OwnedObject["resource"][]).map(async (resource) => {
    const path = `${OWNED[resource].root}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${resource}`;
    try {
      const { items } = await api.list(path, { query: { labelSelector: SESSION_SELECTOR }, signal });
      return items.map((item) => ({ resource, metadata: item.metadata as ObjectMetadata }));
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 403) throw error;
      hidden.push(resource);
      return [];
    }
  }));
  const { sessions, now } = await listSessions(api, namespace, signal);
  return { leftovers: [...leftSessions(sessions, { ...options, now }), ...orphans(objects.flat(), sessions)], hidden };
}

/** Sessions that have ended, or whose client does not come back: the user's own that is away, another's that has missed its time as well. */
export function leftSessions(sessions: readonly FoundSession[], me: { who: string; from: string; now: Date }): Leftover[] {
  return sessions.flatMap(({ namespace, owner, deleted, ending, presence }) => {
    if (deleted) return [];
    const mine = owner.who === me.who && owner.from === me.from;
    const lost = presence.is === "away" && (mine || isOverdue(owner, me.now)) ? presence : undefined;
    const why = ending ? "ended" : lost;
    const path = `/apis/batch/v1/namespaces/${namespace}/jobs/${owner.name}`;
    return why ? [{ kind: "session", namespace, name: owner.service, uid: owner.uid, path, why }] : [];
  });
}

/** Objects of ours whose session's Job is gone. */
export function orphans(objects: readonly OwnedObject[], sessions: readonly FoundSession[]): Leftover[] {
  const uids = new Set(sessions.map(({ owner }) => owner.uid));
  const names = new Set(sessions.map(({ namespace, owner }) => `${namespace}/${owner.name}`));
  return objects.flatMap(({ resource, metadata }) => {
    const { namespace = "", name, uid, deletionTimestamp, ownerReferences = [] } = metadata;
    if (!isOurs(metadata) || deletionTimestamp) return [];
    const owner = ownerReferences.find(({ kind }) => kind === "Job");
    // A Deployment's Pods go with it.
    if (resource === "pods" && !owner && ownerReferences.length > 0) return [];
    const there = owner ? uids.has(owner.uid) : names.has(`${namespace}/${sessionOf(metadata)}`);
    const { kind, root } = OWNED[resource];
    return there
      ? []
      : [{ kind, namespace, name, uid, path: `${root}/namespaces/${namespace}/${resource}/${name}`, why: "orphan" as const }];
  });
}
