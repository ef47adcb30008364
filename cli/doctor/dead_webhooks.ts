import type { Api } from "../../k8s/api/api.ts";
import type { Definition, MutatingWebhooks, Service, ValidatingWebhooks } from "../../k8s/api/kubernetes_objects.ts";
import { Annotation } from "../../k8s/session/objects/session_plan.ts";
import { isOurs, sessionOf } from "../../k8s/session/owner/session_owner.ts";
import { serviceSlices } from "../../k8s/session/service/endpoint_slices.ts";
import { marksOfDefinition } from "../../k8s/webhook/session_marks.ts";
import { type CheckName, type Finding, missingRight, problem, unchecked } from "./finding.ts";

type ServiceReference = NonNullable<Hook["webhook"]["clientConfig"]["service"]>;

/** A Service that the API server calls, and who names it. */
interface Called {
  /** Undefined if it calls a URL. */
  readonly service: ServiceReference | undefined;
  /** Such as `ValidatingWebhookConfiguration policies: webhook a.example.com`. */
  readonly by: string;
  /** What the API server does without the Service. */
  readonly effect: string;
  readonly todo: string;
  /** Whether the API server refuses requests without it. */
  readonly blocks: boolean;
}

/** An admission webhook, and the object that configures it. */
export type Hook = Pick<MutatingWebhooks, "metadata"> & {
  readonly kind: "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration";
  readonly webhook: NonNullable<(MutatingWebhooks & ValidatingWebhooks)["webhooks"]>[number];
};

/** All admission webhooks. @throws as {@link Api.list} does */
export async function listHooks(api: Api, signal: AbortSignal): Promise<Hook[]> {
  const lists = await Promise.allSettled((["Mutating", "Validating"] as const).map(async (type) => {
    const kind = `${type}WebhookConfiguration` as const;
    const { items } = await api.list<MutatingWebhooks & ValidatingWebhooks>(`${ADMISSION}/${kind.toLowerCase()}s`, { signal });
    return items.flatMap(({ metadata, webhooks = [] }) => webhooks.map((webhook) => ({ kind, metadata, webhook })));
  }));
  // Of two failures the first is reported, whichever comes sooner: the output is the same each time.
  return lists.flatMap((list) => {
    if (list.status === "rejected") throw list.reason;
    return list.value;
  });
}

/** The names of webhooks that the creation of an object may have to pass, by their rules alone. @param resource its plural */
export function hooksFor(hooks: readonly Hook[], resource: string): string[] {
  const applies = ({ operations = [], resources = [] }: HookRule) =>
    operations.some((operation) => ["*", "CREATE"].includes(operation)) && resources.some((one) => ["*", "*/*", resource].includes(one));
  return hooks.filter(({ webhook: { rules = [] } }) => rules.some(applies)).map(({ webhook: { name } }) => name);
}

type HookRule = NonNullable<Hook["webhook"]["rules"]>[number];

/** Finds webhooks whose Service does not exist or has nobody behind it. @throws as {@link Api.get} does */
export function findDeadWebhooks(api: Api, hooks: readonly Hook[], signal: AbortSignal): Promise<Finding[]> {
  // A copy that a session made has no effect without its session, and is then found by the check of sessions.
  const lasting = hooks.filter(({ metadata }) => !isOurs(metadata) || metadata.annotations?.[Annotation.namespace] === undefined);
  return deadCalls(api, "webhooks", lasting.map(callOf), signal);
}

/** Finds CustomResourceDefinitions whose conversion webhook has nobody behind it. @throws as {@link Api.list} does */
export async function findDeadConversions(api: Api, signal: AbortSignal): Promise<Finding[]> {
  const { items } = await api.list<Definition>("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", { signal });
  const called = items.map(({ metadata, spec: { conversion } }) => ({
    service: conversion?.strategy === "Webhook" ? conversion.webhook?.clientConfig?.service : undefined,
    by: `CustomResourceDefinition ${metadata.name}: its conversion webhook`,
    effect: "objects that are stored in another version cannot be read or written, and the garbage collector may stop",
    todo: marksOfDefinition(metadata).map(({ session }) => `If kurun is gone, put it back: kurun cleanup -n ${session.namespace}`)[0] ??
      "Start what serves it",
    blocks: true,
  }));
  return await deadCalls(api, "conversions", called, signal);
}

const ADMISSION = "/apis/admissionregistration.k8s.io/v1";
const HTTPS = 443;

function callOf({ kind, metadata, webhook }: Hook): Called {
  const { name, clientConfig: { service }, failurePolicy = "Fail", rules = [] } = webhook;
  const left = isOurs(metadata) ? `kurun's session ${sessionOf(metadata)} left it behind. Delete it` : "Start what serves it, or delete it";
  const blocks = failurePolicy === "Fail";
  const matched = rules.map(({ operations = [], resources = [] }) => `${operations.join("/")} ${resources.join(", ")}`).join("; ");
  return {
    service,
    by: `${kind} ${metadata.name}: webhook ${name}`,
    effect: `with failurePolicy ${failurePolicy} the API server ${blocks ? "refuses" : "does not check"} what it matches (${matched})`,
    todo: `${left}: kubectl delete ${kind.toLowerCase()} ${metadata.name}`,
    blocks,
  };
}

/** Those whose Service cannot answer; what blocks requests comes first. */
async function deadCalls(api: Api, check: CheckName, called: readonly Called[], signal: AbortSignal): Promise<Finding[]> {
  const states = new Map<string, Promise<string | undefined>>();
  const hidden = new Set<string>();
  const findings = await Promise.all(
    called.toSorted((a, b) => +b.blocks - +a.blocks).map(async ({ service, by, effect, todo }) => {
      if (!service) return [];
      const { namespace, name, port = HTTPS } = service;
      const key = `${namespace}/${name}:${port}`;
      if (!states.has(key)) states.set(key, whyDead(api, { namespace, name, port }, signal));
      const why = await states.get(key)?.catch((error) => {
        const right = missingRight(error);
        if (right === undefined) throw error;
        hidden.add(`${right} in namespace ${namespace}`);
      });
      return why ? [problem(check, `${by} calls Service ${name} in namespace ${namespace}, which ${why}; ${effect}`, todo)] : [];
    }),
  );
  const rights = hidden.size > 0 ? [unchecked(check, `some Services need the right to ${[...hidden].sort().join(", ")}`)] : [];
  return [...findings.flat(), ...rights];
}

/** Why a Service cannot answer the API server; undefined if it can. @throws as {@link Api.get} does */
async function whyDead(
  api: Api,
  { namespace, name, port }: Required<Omit<ServiceReference, "path">>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const [service, slices] = await Promise.all([
    api.find<Service>(`/api/v1/namespaces/${namespace}/services/${name}`, { signal }),
    serviceSlices(api, namespace, name, signal),
  ]);
  if (!service) return "does not exist";
  const { spec = {} } = service.body;
  if (spec.type === "ExternalName") return undefined;
  if (!spec.ports?.some((candidate) => candidate.port === port)) return `has no port ${port}`;
  const isReady = slices.some(({ endpoints }) => endpoints?.some(({ conditions }) => conditions?.ready !== false));
  return isReady ? undefined : "has no ready Pod behind it";
}
