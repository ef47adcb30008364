/**
 * Whose a session is, as its Job says. Pure.
 *
 * @module
 */
import { Annotation, MANAGED_BY, SESSION_LABEL } from "../objects/session_objects.ts";

/** The metadata that is looked at. */
export interface ObjectMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly uid: string }[];
}

/** A session's Job, as far as it is looked at. */
export interface SessionJob {
  readonly metadata: ObjectMetadata;
  readonly spec?: { readonly activeDeadlineSeconds?: number };
  readonly status?: { readonly startTime?: string; readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Whose a session is. */
export interface SessionOwner {
  /** The session's name, also its Job's. */
  readonly name: string;
  readonly uid: string;
  readonly who: string;
  readonly from: string;
  /** ISO 8601; empty where it is not known. */
  readonly since: string;
  /** When it ends by itself if its client does not come back, ISO 8601; undefined for never. */
  readonly until: string | undefined;
  /** When its client last moved the deadline, ISO 8601 by the cluster's clock; undefined where that is not known. */
  readonly seen: string | undefined;
  /** What it forwards to. */
  readonly upstream: string;
  /** The user's Service. */
  readonly service: string;
  /** That Service's ports, as `80,443`; empty where they are not known. */
  readonly ports: string;
  /** The digest of the plan that its objects were made of; empty where it has none. */
  readonly plan: string;
}

/** Reads a session's Job. */
export function sessionOwner({ metadata, spec, status }: SessionJob): SessionOwner {
  const { name, uid, annotations = {} } = metadata;
  const seconds = spec?.activeDeadlineSeconds;
  const start = Date.parse(status?.startTime ?? "");
  return {
    name,
    uid,
    who: annotations[Annotation.who] ?? "",
    from: annotations[Annotation.from] ?? "",
    since: annotations[Annotation.since] ?? "",
    until: seconds === undefined || Number.isNaN(start) ? undefined : new Date(start + seconds * 1000).toISOString(),
    seen: annotations[Annotation.seen] ?? metadata.creationTimestamp,
    upstream: annotations[Annotation.upstream] ?? "",
    service: annotations[Annotation.service] ?? name.replace(/-kurun-[^-]*$/, ""),
    ports: annotations[Annotation.ports] ?? "",
    plan: annotations[Annotation.plan] ?? "",
  };
}

/** Whether a session is over: what is left of it is about to go. */
export function isEnding(job: SessionJob): boolean {
  return job.metadata.deletionTimestamp !== undefined || isExpired(job);
}

/** Whether a session's time was over: a Job without pods fails by nothing but its deadline. */
export function isExpired({ status }: SessionJob): boolean {
  return (status?.conditions ?? []).some(({ type, status }) => (type === "Failed" || type === "FailureTarget") && status === "True");
}

/** Whether an object says that it is of a kurun session. */
export function isOurs({ labels }: ObjectMetadata): boolean {
  return Object.entries(MANAGED_BY).every(([key, value]) => labels?.[key] === value) && labels?.[SESSION_LABEL] !== undefined;
}

/** The session that an object of ours says it is of. */
export function sessionOf({ labels }: ObjectMetadata): string {
  return labels?.[SESSION_LABEL] ?? "";
}
