import type { Endpoint, EndpointSlice, Job, Service, ServicePort } from "../../api/kubernetes_objects.ts";
import { CONTROL_PORT, controlServiceName, type ForwardPlan, MANAGED_BY, type ServedPort, SESSION_LABEL } from "../objects/session_plan.ts";
import type { Presence } from "../owner/client_presence.ts";
import { isEnding, isOurs, sessionOf, type SessionOwner } from "../owner/session_owner.ts";
import type { FoundServices } from "./found_services.ts";

/** What the user wants. */
export interface ServiceWish {
  readonly name: string;
  /** The Service's port, if a flag names it. */
  readonly port: number | undefined;
  /** Labels that the user adds to the Pod. */
  readonly podLabels?: Readonly<Record<string, string>>;
  /** The Pod's port for the first of the Service's ports whose target is a name. @default {8444} */
  readonly podPort?: number | undefined;
}

/** What to do about what was found. */
export type ServiceDecision =
  | { readonly do: "create" }
  | ({ readonly do: "join" } & ServiceJoin)
  /** These are about to disappear. */
  | { readonly do: "wait"; readonly going: readonly string[] }
  /** A session has the name. `join` is set if the Service is not the session's own; `whole` says whether both Services exist. */
  | { readonly do: "ask" } & AskedSession
  | { readonly do: "refuse"; readonly refusal: ServiceRefusal };

/** The session that has the name. */
export interface AskedSession {
  readonly job: Job;
  readonly join: ServiceJoin | undefined;
  readonly whole: boolean;
  /** Set if the Service has other Pods by now: the session can be resumed, but not be replaced. */
  readonly live?: ServiceRefusal;
}

/** How to serve an existing Service, which stays as it is. */
export interface ServiceJoin {
  readonly joined: NonNullable<ForwardPlan["joined"]>;
  readonly ports: readonly ServedPort[];
  /** Ports that cannot be served, such as `53/UDP`. */
  readonly unserved: readonly string[];
  /** Other Services that select the same Pods. They stay without kurun's Pod. */
  readonly siblings: readonly string[];
}

/** Why a Service cannot be used. */
export type ServiceRefusal =
  /** `mine`: by the same user on the same machine. */
  | { readonly is: "in-use"; readonly session: SessionOwner; readonly presence: Presence; readonly mine: boolean }
  /** A kurun made it, and it has lost its owner, so nothing removes it. */
  | { readonly is: "orphan"; readonly session: string }
  | { readonly is: "control-name"; readonly control: string }
  | { readonly is: "external-name"; readonly target: string }
  | { readonly is: "no-selector" }
  | { readonly is: "no-tcp" }
  | { readonly is: "no-such-port"; readonly port: number; readonly ports: readonly number[] }
  /** Callers of other Services, which may be unknown, would arrive here: the user or a join by labels gives the Pod labels that they select. */
  | {
    readonly is: "shared";
    readonly others: readonly string[];
    readonly labels: Readonly<Record<string, string>>;
    readonly joins: boolean;
  }
  | { readonly is: "live"; readonly pods: readonly string[]; readonly selector: Readonly<Record<string, string>> }
  | { readonly is: "stuck"; readonly going: readonly string[]; readonly seconds: number };

/** Decides what a start does about the Services under its names. If either name prevents the start, that takes precedence. */
export function decideOnService(found: FoundServices, wish: ServiceWish): ServiceDecision {
  for (const service of [found.control, found.service]) {
    const decision = service && ofOurs(service, found, wish);
    if (decision) return decision;
  }
  if (found.control) return refuse({ is: "control-name", control: controlServiceName(wish.name) });
  if (found.service) return ofForeign(found.service, found, wish);
  const shared = sharedBy(found, wish);
  return shared ? refuse(shared) : { do: "create" };
}

/** The facts that decide whether a session's Service can be used. */
export interface Occupation {
  /** Whether the session belongs to the same user on the same machine. */
  readonly mine: boolean;
  readonly presence: Presence;
  /** Whether its objects are those that this start would make. */
  readonly samePlan: boolean;
  /** Whether to take it in any case. */
  readonly takeover: boolean;
}

/** Resume the session, replace it with a new one, or leave it alone. */
export type OccupationDecision =
  | { readonly do: "adopt" }
  | { readonly do: "refuse" }
  | { readonly do: "remove"; readonly why: "other-plan" | "client-unknown" };

/**
 * Decides about a session that has the Service: the user's own without a client is free, all others take `--takeover`. A session whose
 * client may be about to connect is not resumed, because the later of the two clients would take it from the other.
 */
export function decideOnSession({ mine, presence, samePlan, takeover }: Occupation): OccupationDecision {
  const free = mine && presence.is === "away";
  if (!free && !takeover) return { do: "refuse" };
  if (!samePlan) return { do: "remove", why: "other-plan" };
  return presence.is === "unknown" ? { do: "remove", why: "client-unknown" } : { do: "adopt" };
}

function ofOurs(service: Service, found: FoundServices, wish: ServiceWish): ServiceDecision | undefined {
  const { metadata } = service;
  if (metadata.deletionTimestamp) return { do: "wait", going: [`service/${metadata.name}`] };
  if (!isOurs(metadata)) return undefined;
  const session = sessionOf(metadata);
  const owner = metadata.ownerReferences?.find(({ kind }) => kind === "Job");
  if (!owner) return refuse({ is: "orphan", session });
  const job = found.jobs.get(session);
  // Its owner is gone: the garbage collector will remove this Service, even if it were adopted now.
  if (!job || job.metadata.uid !== owner.uid || isEnding(job)) return { do: "wait", going: [`service/${metadata.name}`] };
  const whole = found.service !== undefined && found.control !== undefined;
  if (!found.service || isOurs(found.service.metadata)) return { do: "ask", job, join: undefined, whole };
  const join = joinOf(found.service, found, wish);
  // No session is removed for a Service that cannot be used then.
  if ("is" in join) return refuse(join);
  const next = ofForeign(found.service, found, wish);
  return { do: "ask", job, join, whole, ...(next.do === "refuse" ? { live: next.refusal } : {}) };
}

function ofForeign(service: Service, found: FoundServices, wish: ServiceWish): ServiceDecision {
  const { metadata } = service;
  const join = joinOf(service, found, wish);
  if ("is" in join) return refuse(join);
  // A Pod that is terminating gets no new connections once kurun's Pod is ready.
  const live = livePods(found.slices);
  const others = live.filter((name) => !isPodOfSession(name, metadata.name));
  if (others.length > 0) return refuse({ is: "live", pods: others, selector: service.spec?.selector ?? {} });
  return live.length === 0 ? { do: "join", ...join } : { do: "wait", going: live.map((name) => `pod/${name}`) };
}

/** The Pods behind a Service that pass `counts`, except those that are being stopped; an address if an endpoint is no Pod. */
export function livePods(slices: readonly EndpointSlice[], counts: (endpoint: Endpoint) => boolean = () => true): string[] {
  // A slice without endpoints has null there.
  const endpoints = slices.flatMap(({ endpoints }) => endpoints ?? []);
  const live = endpoints.filter((endpoint) => endpoint.conditions?.terminating !== true && counts(endpoint));
  return [...new Set(live.map(({ targetRef, addresses }) => targetRef?.name ?? addresses[0] ?? ""))];
}

/** How a Service that kurun did not create can be joined, regardless of its Pods, or why it cannot. */
function joinOf({ spec = {} }: Service, found: FoundServices, wish: ServiceWish): ServiceJoin | ServiceRefusal {
  const { type, externalName = "", selector = {}, ports = [], clusterIP, ipFamilies: families = ["IPv4"] } = spec;
  if (type === "ExternalName") return { is: "external-name", target: externalName };
  if (Object.keys(selector).length === 0) return { is: "no-selector" };
  // A Pod with the labels of two sessions would belong to neither.
  if (selector[SESSION_LABEL] !== undefined) return { is: "orphan", session: selector[SESSION_LABEL] };
  const headless = clusterIP === "None";
  const served = joinedPorts(ports, headless, wish.podPort);
  if (served.length === 0) return { is: "no-tcp" };
  if (wish.port !== undefined && !served.some(({ port }) => port === wish.port)) {
    return { is: "no-such-port", port: wish.port, ports: served.map(({ port }) => port) };
  }
  const joined = found.maySlice ? { families, headless } : { selector };
  const shared = sharedBy(found, wish, joined.selector);
  if (shared) return shared;
  return {
    joined,
    ports: served.filter(({ port }) => wish.port === undefined || port === wish.port),
    unserved: unservedPorts(ports),
    siblings: selecting(found, wish, selector),
  };
}

/** The refusal if callers of other Services would arrive at a Pod that has the user's labels and those of a join. */
function sharedBy(found: FoundServices, wish: ServiceWish, selector?: Readonly<Record<string, string>>): ServiceRefusal | undefined {
  const labels = { ...wish.podLabels, ...selector };
  const others = selecting(found, wish, { ...MANAGED_BY, ...labels });
  const joins = selector !== undefined;
  return others.length > 0 || (joins && !found.all) ? { is: "shared", others, labels, joins } : undefined;
}

/** The names of the other Services that select a Pod with these labels. */
function selecting({ all = [] }: FoundServices, { name }: ServiceWish, labels: Readonly<Record<string, string>>): string[] {
  const others = all.filter(({ metadata, spec = {} }) => {
    const selector = Object.entries(spec.selector ?? {});
    const selects = selector.length > 0 && selector.every(([key, value]) => labels[key] === value);
    return metadata.name !== name && !metadata.deletionTimestamp && spec.type !== "ExternalName" && selects;
  });
  return others.map(({ metadata }) => metadata.name);
}

/** Whether a Pod belongs to an earlier session for this Service. That session is gone, or the control port's Service would still be there. */
function isPodOfSession(pod: string, service: string): boolean {
  return pod.startsWith(`${service}-kurun-`) && /^[a-z0-9]{5}-[a-z0-9]+-[a-z0-9]{5}$/.test(pod.slice(`${service}-kurun-`.length));
}

function refuse(refusal: ServiceRefusal): ServiceDecision {
  return { do: "refuse", refusal };
}

/**
 * Where kurun's Pod must serve each TCP port of a Service that it joins, so that the Service need not change. A target port with a name
 * gets a number that no other target port has.
 * @param headless callers connect to the Pod itself at the port that they know: nothing translates it
 */
export function joinedPorts(ports: readonly ServicePort[], headless: boolean, firstNamed = 8444): ServedPort[] {
  const tcp = ports.filter(isTcp);
  const taken = new Set<number | string>([CONTROL_PORT, ...tcp.map(({ port, targetPort = port }) => targetPort)]);
  const numbers = new Map<string, number>();
  return tcp.map(({ name, port, targetPort = port }) => {
    const named = name ? { name } : {};
    if (typeof targetPort === "number") return { ...named, port: headless ? targetPort : port, targetPort };
    let number = numbers.get(targetPort) ?? (headless ? port : firstNamed);
    while (!headless && !numbers.has(targetPort) && taken.has(number)) number++;
    taken.add(number);
    numbers.set(targetPort, number);
    return { ...named, port, targetPort: number, targetName: targetPort };
  });
}

/** The ports that kurun cannot serve, such as `53/UDP`. */
export function unservedPorts(ports: readonly ServicePort[]): string[] {
  return ports.filter((port) => !isTcp(port)).map(({ port, protocol }) => `${port}/${protocol}`);
}

function isTcp({ protocol = "TCP" }: ServicePort): boolean {
  return protocol === "TCP";
}
