/**
 * Conversion webhooks of CustomResourceDefinitions: what kurun writes into a definition, and how that is put back. Pure.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { isDeepStrictEqual } from "node:util";
import type { PatchOperation } from "../api/api.ts";
import type { Definition, DefinitionSpec, LiveMetadata } from "../api/kubernetes_objects.ts";
import type { ForwardPlan } from "../session/objects/session_plan.ts";
import { HOOK_PORT } from "./copy_configuration.ts";
import { type HookSession, isSession } from "./guard.ts";

/** How a definition's objects are converted between its versions. */
export type Conversion = NonNullable<DefinitionSpec["conversion"]>;

/** The session that the API server calls instead. */
export interface ConversionTarget {
  readonly plan: HookSession & Pick<ForwardPlan, "service">;
  /** PEM of the CA that issued the certificate of the session's Service. */
  readonly caPem: string;
}

/** What a definition was before, and what kurun wrote. It is kept in an annotation, so that any kurun can put it back. */
export interface ConversionRecord {
  /** The session that answers. */
  readonly session: HookSession;
  readonly before: Conversion;
  readonly wrote: Conversion;
  /** The annotations that were taken away. */
  readonly annotations: Readonly<Record<string, string>>;
}

const NONE: Conversion = { strategy: "None" };
/** The annotation with the {@linkcode ConversionRecord}. */
export const CONVERSION_BEFORE = "kurun.dev/conversion-before";
/** Controllers write their own CA into a definition with one of these annotations, a moment after kurun has written its CA. */
const CA_INJECTIONS: readonly string[] = [
  ...["inject-ca-from", "inject-ca-from-secret", "inject-apiserver-ca"].map((name) => `cert-manager.io/${name}`),
  "service.beta.openshift.io/inject-cabundle",
];

/** The API path of a CustomResourceDefinition, or of all of them. */
export function definitionPath(name?: string): string {
  return `/apis/apiextensions.k8s.io/v1/customresourcedefinitions${name === undefined ? "" : `/${name}`}`;
}

/** The conversion that calls a session's Service. Everything else stays as in the given one. */
export function sessionConversion({ webhook }: Conversion, { plan, caPem }: ConversionTarget): Conversion {
  const { conversionReviewVersions = ["v1"], clientConfig: { service: original } = {} } = webhook ?? {};
  const path = original?.path === undefined ? {} : { path: original.path };
  const service = { namespace: plan.namespace, name: plan.service, port: HOOK_PORT, ...path };
  const caBundle = Buffer.from(caPem).toString("base64");
  return { strategy: "Webhook", webhook: { conversionReviewVersions, clientConfig: { service, caBundle } } };
}

/** The patch that makes the API server call a session for a definition's conversions. @param conversion the one that is answered */
export function servingPatch({ metadata, spec }: Definition, conversion: Conversion, target: ConversionTarget): PatchOperation[] {
  const [injections = {}, others] = [true, false].map((is) => annotationsOf(metadata, (key) => CA_INJECTIONS.includes(key) === is));
  const { namespace, name } = target.plan;
  const wrote = sessionConversion(conversion, target);
  const record: ConversionRecord = { session: { namespace, name }, before: spec.conversion ?? NONE, wrote, annotations: injections };
  return patch(metadata, { ...others, [CONVERSION_BEFORE]: JSON.stringify(record) }, wrote);
}

/**
 * The patch that puts a definition's conversion back. Whatever somebody else has changed since stays.
 * @returns also the fields that stay, such as `caBundle`
 */
export function restoringPatch(
  { metadata, spec: { conversion } }: Definition,
  { before, wrote, annotations }: ConversionRecord,
): { patch: PatchOperation[]; kept: string[] } {
  const { restored, kept } = restore(conversion ?? NONE, wrote, before);
  return { patch: patch(metadata, { ...annotations, ...annotationsOf(metadata, (key) => key !== CONVERSION_BEFORE) }, restored), kept };
}

/** Reads the record of a definition, which anybody who may change definitions may have written. @returns undefined if it has none */
export function conversionRecord({ annotations }: Pick<LiveMetadata, "annotations">): ConversionRecord | undefined {
  try {
    const { session, before, wrote, annotations: taken } = JSON.parse(annotations?.[CONVERSION_BEFORE] ?? "");
    const texts = [session.namespace, session.name, before.strategy, wrote.strategy, ...Object.values(taken)];
    if (!texts.every((text) => typeof text === "string") || !isSession(session)) return undefined;
    return { session, before, wrote, annotations: taken };
  } catch {
    return undefined;
  }
}

/** What kurun wrote becomes what was there before. What somebody else has written since stays. */
function restore(now: Conversion, wrote: Conversion, before: Conversion): { restored: Conversion; kept: string[] } {
  const [current, ours, old] = [now, wrote, before].map(({ webhook }) => webhook?.clientConfig);
  const isService = isDeepStrictEqual(current?.service, ours?.service);
  const isCa = current?.caBundle === ours?.caBundle;
  const base = isService ? before : now;
  if (isDeepStrictEqual(now, before)) return { restored: before, kept: [] };
  if (!base.webhook?.clientConfig) return { restored: base, kept: isService ? [] : ["strategy"] };
  const { caBundle: _, ...address } = base.webhook.clientConfig;
  const ca = isCa ? old?.caBundle : current?.caBundle;
  const clientConfig = { ...address, ...(ca === undefined ? {} : { caBundle: ca }) };
  const kept = [...(isService ? [] : ["service"]), ...(isCa ? [] : ["caBundle"])];
  return { restored: { ...base, webhook: { ...base.webhook, clientConfig } }, kept };
}

function annotationsOf({ annotations = {} }: Pick<LiveMetadata, "annotations">, takes: (key: string) => boolean): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => takes(key)));
}

/** Sets annotations and conversion of a definition. */
function patch(
  { annotations: present }: LiveMetadata,
  annotations: Readonly<Record<string, string>>,
  conversion: Conversion,
): PatchOperation[] {
  const path = "/metadata/annotations";
  return [
    ...(Object.keys(annotations).length > 0 ? [{ op: "add", path, value: annotations } as const] : []),
    ...(Object.keys(annotations).length === 0 && present ? [{ op: "remove", path } as const] : []),
    { op: "add", path: "/spec/conversion", value: conversion },
  ];
}
