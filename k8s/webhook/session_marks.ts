/**
 * The marks of webhook sessions on objects that a session's Job cannot own, because they are in no namespace. Pure.
 *
 * @module
 */
import type { LiveMetadata } from "../api/kubernetes_objects.ts";
import { Annotation } from "../session/objects/session_plan.ts";
import { isOurs, sessionOf } from "../session/owner/session_owner.ts";
import { conversionRecord } from "./conversion.ts";
import { guardedSession, type HookSession, isSession } from "./guard.ts";
import type { HookKind, LiveHookConfiguration } from "./hook_configuration.ts";

/** Something that a webhook session put into the cluster outside its namespace. */
export interface SessionMark {
  readonly session: HookSession;
  /** A configuration of its own, a condition in somebody's configuration, or the conversion of somebody's definition. */
  readonly is: "copy" | "condition" | "conversion";
  readonly kind: HookKind | "CustomResourceDefinition";
  /** The object's name and uid. */
  readonly name: string;
  readonly uid: string;
}

/** The marks in a configuration: it is a copy, or has conditions of sessions. */
export function marksOfConfiguration({ kind, metadata, webhooks = [] }: LiveHookConfiguration): SessionMark[] {
  const mark = (is: SessionMark["is"], namespace: string, name: string) => markOf(is, kind, metadata, { namespace, name });
  const copyOf = metadata.annotations?.[Annotation.namespace];
  // The conditions of a copy go with it.
  if (isOurs(metadata) && copyOf !== undefined) return mark("copy", copyOf, sessionOf(metadata));
  const sessions = webhooks.flatMap(({ matchConditions = [] }) => matchConditions.flatMap((condition) => guardedSession(condition) ?? []));
  const different = new Map(sessions.map((session) => [`${session.namespace}/${session.name}`, session]));
  return [...different.values()].flatMap(({ namespace, name }) => mark("condition", namespace, name));
}

/** The mark on a CustomResourceDefinition whose conversion a session answers, or answered. */
export function marksOfDefinition(metadata: LiveMetadata): SessionMark[] {
  const record = conversionRecord(metadata);
  return record ? markOf("conversion", "CustomResourceDefinition", metadata, record.session) : [];
}

function markOf(
  is: SessionMark["is"],
  kind: SessionMark["kind"],
  { name, uid }: LiveMetadata,
  session: HookSession,
): SessionMark[] {
  return isSession(session) ? [{ session, is, kind, name, uid }] : [];
}
