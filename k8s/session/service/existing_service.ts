/**
 * What to do about Services that are there already under the names that a session wants. Pure: what was found in, a decision out.
 *
 * @module
 */
import type { ClientAnswer, Presence } from "../owner/client_presence.ts";
import { joinedPorts, type ServicePort, unservedPorts } from "./joined_ports.ts";
import { controlServiceName, type ServedPort, SESSION_LABEL } from "../objects/session_objects.ts";
import { isEnding, isOurs, type ObjectMetadata, type SessionJob, sessionOf, type SessionOwner } from "../owner/session_owner.ts";

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
  /** What the Pod says that is behind the control port's Service, where that is kurun's and the Pod could be asked. */
  readonly client: ClientAnswer | undefined;
  /** When it was looked, by the cluster's clock where the answers have it. */
  readonly now: Date;
}

/** What the user wants. */
export interface ServiceWish {
  readonly name: string;
  /** The Service's port that was asked for by flag. */
  readonly port: number | undefined;
}

/** What to do about what was found. */
export type ServiceDecision =
  | { readonly do: "create" }
  | ({ readonly do: "join" } & ServiceJoin)
  /** These are about to go by themselves. */
  | { readonly do: "wait"; readonly going: readonly string[] }
  /** A session has it; `join` is how, where the Service is not its own; `whole` is whether both Services are still there. */
  | { readonly do: "ask"; readonly job: SessionJob; readonly join: ServiceJoin | undefined; readonly whole: boolean }
  | { readonly do: "refuse"; readonly refusal: ServiceRefusal };

/** How a Service that is there already is served: give the Pod this selector's labels, serve these ports; the Service stays as it is. */
export interface ServiceJoin {
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly ServedPort[];
  /** Ports that cannot be, as `53/UDP`. */
  readonly unserved: readonly string[];
}

/** Why a Service cannot be used. */
export type ServiceRefusal =
  /** `mine`: the same user on the same machine. */
  | { readonly is: "in-use"; readonly session: SessionOwner; readonly presence: Presence; readonly mine: boolean }
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
    const decision = service && ofOurs(service, found, wish);
    if (decision) return decision;
  }
  if (found.control) return refuse({ is: "control-name", control: controlServiceName(wish.name) });
  return found.service ? ofForeign(found.service, found.endpoints, wish) : { do: "create" };
}

function ofOurs(service: ServiceObject, found: FoundServices, wish: ServiceWish): ServiceDecision | undefined {
  const { metadata } = service;
  if (metadata.deletionTimestamp) return { do: "wait", going: [`service/${metadata.name}`] };
  if (!isOurs(metadata)) return undefined;
  const session = sessionOf(metadata);
  const owner = metadata.ownerReferences?.find(({ kind }) => kind === "Job");
  if (!owner) return refuse({ is: "orphan", session });
  const job = found.jobs.get(session);
  // Its owner has gone: the garbage collector is about to come, and would take an object that was adopted.
  if (!job || job.metadata.uid !== owner.uid || isEnding(job)) return { do: "wait", going: [`service/${metadata.name}`] };
  const join = found.service && !isOurs(found.service.metadata) ? joinOf(found.service, wish) : undefined;
  const whole = found.service !== undefined && found.control !== undefined;
  return { do: "ask", job, join: join && "unserved" in join ? join : undefined, whole };
}

function ofForeign(service: ServiceObject, endpoints: readonly Endpoint[], wish: ServiceWish): ServiceDecision {
  const { metadata } = service;
  const join = joinOf(service, wish);
  if ("is" in join) return refuse(join);
  // A Pod that is ending gets no new connections once ours is ready.
  const live = endpoints.filter(({ conditions }) => conditions?.terminating !== true).map(nameOf);
  if (live.length === 0) return { do: "join", ...join };
  const going = live.filter((name) => isPodOfSession(name, metadata.name));
  return going.length === live.length
    ? { do: "wait", going: going.map((name) => `pod/${name}`) }
    : refuse({ is: "live", pods: [...new Set(live)], selector: join.selector });
}

/** How a Service that is not kurun's can be joined, whatever is behind it, or why not. */
function joinOf({ spec }: ServiceObject, wish: ServiceWish): ServiceJoin | ServiceRefusal {
  const { type, externalName = "", selector = {}, ports = [], clusterIP } = spec;
  if (type === "ExternalName") return { is: "external-name", target: externalName };
  if (Object.keys(selector).length === 0) return { is: "no-selector" };
  // A Pod that carries two sessions' labels would belong to neither.
  if (selector[SESSION_LABEL] !== undefined) return { is: "orphan", session: selector[SESSION_LABEL] };
  const served = joinedPorts(ports, clusterIP === "None");
  if (served.length === 0) return { is: "no-tcp" };
  if (wish.port !== undefined && !served.some(({ port }) => port === wish.port)) {
    return { is: "no-such-port", port: wish.port, ports: served.map(({ port }) => port) };
  }
  return { selector, ports: chosenFirst(served, wish.port), unserved: unservedPorts(ports) };
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
