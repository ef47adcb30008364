import { type Api, METADATA_LIST_ONLY, METADATA_ONLY } from "../api/api.ts";
import { ApiError, onStatus } from "../api/api_error.ts";
import { objectPath } from "../session/objects/session_plan.ts";
import { definitionPath } from "./conversion.ts";
import { listKind } from "./find_configurations.ts";
import type { HookSession } from "./guard.ts";
import { HOOK_KINDS } from "./hook_configuration.ts";
import { marksOfConfiguration, marksOfDefinition, type SessionMark } from "./session_marks.ts";

/** What webhook sessions left outside their namespaces, and what could not be found out. */
export interface HookLeftovers {
  /** In the order in which they should be removed: {@linkcode removeMark}. */
  readonly marks: readonly SessionMark[];
  /** The resources that the user may not list. */
  readonly hidden: readonly string[];
  /** Sessions of which the user may not know whether they exist: their marks are left alone. */
  readonly unknown: readonly HookSession[];
}

/** The order of their removal: the copies last, when their originals answer again. */
const ORDER: readonly SessionMark["is"][] = ["conversion", "condition", "copy"];

/**
 * Finds what sessions left behind: configurations, conditions and conversions whose session's Job does not exist.
 * @param options.namespace the namespace of the sessions; undefined for all
 * @param options.ended the paths of Jobs that count as gone
 * @throws as {@linkcode Api.list} does
 */
export async function findHookLeftovers(
  api: Api,
  { namespace, ended = [], signal }: { namespace: string | undefined; ended?: readonly string[]; signal: AbortSignal },
): Promise<HookLeftovers> {
  // Listed before the Jobs: a session's Job is there before its marks.
  const { marks, hidden } = await findMarks(api, signal);
  const sessions = Map.groupBy(
    marks.filter(({ session }) => namespace === undefined || session.namespace === namespace),
    ({ session }) => objectPath("Job", session.namespace, session.name),
  );
  const unknown: HookSession[] = [];
  const left = await Promise.all([...sessions].map(async ([path, marks]) => {
    const exists = !ended.includes(path) &&
      await api.find(path, { accept: METADATA_ONLY, signal }).then(Boolean).catch(onStatus([403], "unknown" as const));
    if (exists === "unknown") unknown.push(marks[0]!.session);
    return exists ? [] : marks;
  }));
  return { marks: left.flat().sort(inOrder), hidden: [...hidden.keys()].sort(), unknown };
}

/** All marks of sessions, in the order of their removal. @returns also what may not be listed, with the refusals @throws as {@linkcode Api.list} does */
export async function findMarks(api: Api, signal?: AbortSignal): Promise<{ marks: SessionMark[]; hidden: Map<string, ApiError> }> {
  const hidden = new Map<string, ApiError>();
  const found = await Promise.all([
    ...HOOK_KINDS.map(async (kind) => {
      const refused = (error: ApiError) => void hidden.set(`${kind.toLowerCase()}s`, error);
      return (await listKind(api, kind, signal).catch(onDenied(refused)))?.flatMap(marksOfConfiguration) ?? [];
    }),
    api.list(definitionPath(), { accept: METADATA_LIST_ONLY, signal })
      .catch(onDenied((error) => void hidden.set("customresourcedefinitions", error)))
      .then((list) => list?.items.flatMap(({ metadata }) => marksOfDefinition(metadata)) ?? []),
  ]);
  return { marks: found.flat().sort(inOrder), hidden };
}

function inOrder(a: SessionMark, b: SessionMark): number {
  return ORDER.indexOf(a.is) - ORDER.indexOf(b.is);
}

function onDenied(refused: (error: ApiError) => void): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof ApiError) || error.status !== 403) throw error;
    refused(error);
  };
}
