/**
 * What to do about Services that are there already under the names that a session wants. Pure: what was found in, a decision out.
 *
 * @module
 */
import { joinedPorts, type ServicePort, unservedPorts } from "./joined_ports.ts";
import { Annotation, controlServiceName, MANAGED_BY, type ServedPort, SESSION_LABEL } from "./session_objects.ts";

/** The metadata that is looked at. */
export interface ObjectMetadata {
  readonly name: string;
  readonly uid: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly uid: string }[];
}

/** A Service, as far as it is looked at. */
export interface ServiceObject {
  readonly metadata: ObjectMetadata;
  readonly spec: {
    readonly type?: string;
    /** `None` where it is headless. */
    readonly clusterIP?: string;
    readonly externalName?: string;
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly ServicePort[];
  };
}

/** A session's Job, as far as it is looked at. */
export interface SessionJob {
  readonly metadata: ObjectMetadata;
  readonly spec?: { readonly activeDeadlineSeconds?: number };
  readonly status?: { readonly startTime?: string; readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** An address behind a Service, from its EndpointSlices. */
export interface Endpoint {
  readonly addresses: readonly string[];
  readonly conditions?: { readonly ready?: boolean; readonly terminating?: boolean };
  readonly targetRef?: { readonly kind?: string; readonly name?: string };
}

/** What was found in the cluster. */
export interface FoundServices {
  /** The Service of the name that the user wants. */
  readonly service: ServiceObject | undefined;
  /** The one of the control port's name. */
  readonly control: ServiceObject | undefined;
  /** The Jobs of the sessions that the two say they are of, by name. */
  readonly jobs: ReadonlyMap<string, SessionJob>;
  /** What is behind the Service. */
  readonly endpoints: readonly Endpoint[];
}

/** What the user wants. */
export interface ServiceWish {
  readonly name: string;
  /** The user and the machine, as the session's annotations have them. */
  readonly who: string;
  readonly from: string;
  /** The Service's port that was asked for by flag. */
  readonly port: number | undefined;
}

/** What to do about what was found. */
export type ServiceDecision =
  | { readonly do: "create" }
  /** Give the Pod this selector's labels and serve these ports; the Service stays as it is. */
  | {
    readonly do: "join";
    readonly selector: Readonly<Record<string, string>>;
    readonly ports: readonly ServedPort[];
    readonly unserved: readonly string[];
  }
  /** These are about to go by themselves. */
  | { readonly do: "wait"; readonly going: readonly string[] }
  /** An earlier session of the same user on the same machine. */
  | { readonly do: "remove"; readonly session: SessionOwner }
  | { readonly do: "refuse"; readonly refusal: ServiceRefusal };

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
  /** What it forwards to. */
  readonly upstream: string;
}

/** Why a Service cannot be used. */
export type ServiceRefusal =
  | { readonly is: "in-use"; readonly session: SessionOwner }
  /** Made by a kurun, and its owner was taken off it, so that nothing removes it. */
  | { readonly is: "orphan"; readonly session: string }
  | { readonly is: "control-name"; readonly control: string }
  | { readonly is: "external-name"; readonly target: string }
  | { readonly is: "no-selector" }
  | { readonly is: "no-tcp" }
  | { readonly is: "no-such-port"; readonly port: number; readonly ports: readonly number[] }
  | { readonly is: "live"; readonly pods: readonly string[]; readonly selector: Readonly<Record<string, string>> }
  | { readonly is: "stuck"; readonly going: readonly string[]; readonly seconds: number };

/** Decides. Of the two names the one that speaks against going on is heard first. */
export function decideOnService(found: FoundServices, wish: ServiceWish): ServiceDecision {
  for (const service of [found.control, found.service]) {
    const decision = service && ofOurs(service, found.jobs, wish);
    if (decision) return decision;
  }
  if (found.control) return refuse({ is: "control-name", control: controlServiceName(wish.name) });
  return found.service ? ofForeign(found.service, found.endpoints, wish) : { do: "create" };
}

/** Whether an object says that it is of a kurun session. */
export function isOurs({ labels }: ObjectMetadata): boolean {
  return Object.entries(MANAGED_BY).every(([key, value]) => labels?.[key] === value) && labels?.[SESSION_LABEL] !== undefined;
}

/** The session that an object of ours says it is of. */
export function sessionOf({ labels }: ObjectMetadata): string {
  return labels?.[SESSION_LABEL] ?? "";
}

function ofOurs(service: ServiceObject, jobs: ReadonlyMap<string, SessionJob>, wish: ServiceWish): ServiceDecision | undefined {
  const { metadata } = service;
  if (metadata.deletionTimestamp) return { do: "wait", going: [`service/${metadata.name}`] };
  if (!isOurs(metadata)) return undefined;
  const session = sessionOf(metadata);
  const owner = metadata.ownerReferences?.find(({ kind }) => kind === "Job");
  if (!owner) return refuse({ is: "orphan", session });
  const job = jobs.get(session);
  // Its owner has gone: the garbage collector is about to come, and would take an object that was adopted.
  if (!job || job.metadata.uid !== owner.uid || isEnding(job)) return { do: "wait", going: [`service/${metadata.name}`] };
  const whose = sessionOwner(job);
  return whose.who === wish.who && whose.from === wish.from ? { do: "remove", session: whose } : refuse({ is: "in-use", session: whose });
}

function isEnding({ metadata, status }: SessionJob): boolean {
  return metadata.deletionTimestamp !== undefined ||
    (status?.conditions ?? []).some(({ type, status }) => (type === "Failed" || type === "FailureTarget") && status === "True");
}

function sessionOwner({ metadata: { name, uid, annotations = {} }, spec, status }: SessionJob): SessionOwner {
  const seconds = spec?.activeDeadlineSeconds;
  const start = Date.parse(status?.startTime ?? "");
  return {
    name,
    uid,
    who: annotations[Annotation.who] ?? "",
    from: annotations[Annotation.from] ?? "",
    since: annotations[Annotation.since] ?? "",
    until: seconds === undefined || Number.isNaN(start) ? undefined : new Date(start + seconds * 1000).toISOString(),
    upstream: annotations[Annotation.upstream] ?? "",
  };
}

function ofForeign({ metadata, spec }: ServiceObject, endpoints: readonly Endpoint[], wish: ServiceWish): ServiceDecision {
  const { type, externalName = "", selector = {}, ports = [], clusterIP } = spec;
  if (type === "ExternalName") return refuse({ is: "external-name", target: externalName });
  if (Object.keys(selector).length === 0) return refuse({ is: "no-selector" });
  // A Pod that carries two sessions' labels would belong to neither.
  if (selector[SESSION_LABEL] !== undefined) return refuse({ is: "orphan", session: selector[SESSION_LABEL] });
  const served = joinedPorts(ports, clusterIP === "None");
  if (served.length === 0) return refuse({ is: "no-tcp" });
  if (wish.port !== undefined && !served.some(({ port }) => port === wish.port)) {
    return refuse({ is: "no-such-port", port: wish.port, ports: served.map(({ port }) => port) });
  }
  // A Pod that is ending gets no new connections once ours is ready.
  const live = endpoints.filter(({ conditions }) => conditions?.terminating !== true).map(nameOf);
  if (live.length === 0) return { do: "join", selector, ports: chosenFirst(served, wish.port), unserved: unservedPorts(ports) };
  const going = live.filter((name) => isPodOfSession(name, metadata.name));
  return going.length === live.length
    ? { do: "wait", going: going.map((name) => `pod/${name}`) }
    : refuse({ is: "live", pods: [...new Set(live)], selector });
}

function nameOf({ targetRef, addresses }: Endpoint): string {
  return targetRef?.name ?? addresses[0] ?? "";
}

/** Whether a Pod is of an earlier session for this Service; its session has gone, or the control port's Service were still there. */
function isPodOfSession(pod: string, service: string): boolean {
  return pod.startsWith(`${service}-kurun-`) && /^[a-z0-9]{5}-[a-z0-9]+-[a-z0-9]{5}$/.test(pod.slice(`${service}-kurun-`.length));
}

function chosenFirst(ports: readonly ServedPort[], chosen: number | undefined): ServedPort[] {
  return [...ports.filter(({ port }) => port === chosen), ...ports.filter(({ port }) => port !== chosen)];
}

function refuse(refusal: ServiceRefusal): ServiceDecision {
  return { do: "refuse", refusal };
}
