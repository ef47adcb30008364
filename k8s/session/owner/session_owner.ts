import type { Job, LiveMetadata } from "../../api/kubernetes_objects.ts";
import { Annotation, MANAGED_BY, SESSION_LABEL } from "../objects/session_plan.ts";

/** Whose a session is, according to its Job. */
export interface SessionOwner {
  /** The name of the session and its Job. */
  readonly name: string;
  readonly uid: string;
  readonly who: string;
  readonly from: string;
  /** ISO 8601; empty if not known. */
  readonly since: string;
  /** When it ends by itself unless its client returns, ISO 8601; undefined for never. */
  readonly until: string | undefined;
  /** When its client last moved the deadline, ISO 8601 by the cluster's clock; undefined if not known. */
  readonly seen: string | undefined;
  /** What it forwards to. */
  readonly upstream: string;
  /** The user's Service. */
  readonly service: string;
  /** The Service's ports, such as `80,443`; empty if not known. */
  readonly ports: string;
  /** The digest of the plan that its objects were made from; empty if it has none. */
  readonly plan: string;
  /** A digest of each flag; empty if not known. */
  readonly flags: string;
  /** The webhook configurations that it answers instead of their own webhooks; undefined if it is not for webhooks. */
  readonly serves?: string | undefined;
  /** Which of their requests, as JSON. */
  readonly filter?: string | undefined;
}

/** The user and machine that a session belongs to. */
export type Person = Pick<SessionOwner, "who" | "from">;

/** A Service's name (RFC 1123, label). Anybody who may create Jobs may write any text into the annotation, which goes into paths and commands. */
const SERVICE_NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/** An object's annotations, each on one line: they are printed, and anybody who may create objects may write any text into them. */
export function shownAnnotations({ annotations = {} }: Pick<LiveMetadata, "annotations">): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(annotations).map(([key, text]) => [key, text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")]));
}

/** Reads a session's Job. */
export function sessionOwner({ metadata, spec, status }: Job): SessionOwner {
  const { name, uid } = metadata;
  const annotations = shownAnnotations(metadata);
  const { [Annotation.service]: service = "" } = annotations;
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
    service: SERVICE_NAME.test(service) ? service : name.replace(/-kurun-[^-]*$/, ""),
    ports: annotations[Annotation.ports] ?? "",
    plan: annotations[Annotation.plan] ?? "",
    flags: annotations[Annotation.flags] ?? "",
    serves: annotations[Annotation.serves],
    filter: annotations[Annotation.filter],
  };
}

/** Whether both are the same user on the same machine. */
export function isSamePerson(a: Person, b: Person): boolean {
  return a.who === b.who && a.from === b.from;
}

/** Whether a session is over, so that what is left of it will be removed. */
export function isEnding(job: Job): boolean {
  return job.metadata.deletionTimestamp !== undefined || isExpired(job);
}

/** Whether a session's deadline has passed: a Job without Pods fails for no other reason. */
export function isExpired({ status }: Job): boolean {
  return (status?.conditions ?? []).some(({ type, status }) => (type === "Failed" || type === "FailureTarget") && status === "True");
}

/** Whether an object's labels say that it belongs to a session of kurun. */
export function isOurs({ labels }: Pick<LiveMetadata, "labels">): boolean {
  return Object.entries(MANAGED_BY).every(([key, value]) => labels?.[key] === value) && labels?.[SESSION_LABEL] !== undefined;
}

/** The session that an object's labels name. */
export function sessionOf({ labels }: Pick<LiveMetadata, "labels">): string {
  return labels?.[SESSION_LABEL] ?? "";
}
