/**
 * What is to be applied, where each object is in the API, and in which order. Pure.
 *
 * @module
 */

import { type ApiResource, type ApiResources, collectionPath, groupOf, kindsOfDefinition } from "./discovery.ts";
import { type ManifestObject, objectKey, objectLabel } from "./manifest_objects.ts";

/** A manifest's object, with the file or URL that it stands in. */
export interface SourcedObject extends ManifestObject {
  readonly file: string;
}

/** What is wrong, and where. */
export interface ManifestProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly what: string;
}

/** An object and where it is in the API. */
export interface PlannedObject {
  readonly source: SourcedObject;
  readonly resource: ApiResource;
  /** Undefined where the kind has none. */
  readonly namespace: string | undefined;
  readonly path: string;
  /** `deployment.apps/web` */
  readonly label: string;
  /** With its namespace. */
  readonly body: SourcedObject["body"];
}

/** Where objects without a namespace go, and whether others may have another. */
export interface NamespaceChoice {
  readonly namespace: string;
  /** Whether the user named it, so that an object that says another is a mistake. */
  readonly enforced: boolean;
}

/**
 * Finds each object's place in the API. Kinds may also be made by definitions among the objects themselves.
 *
 * @returns the objects, what is wrong with them, and all kinds that there are then
 */
export function planObjects(
  objects: readonly SourcedObject[],
  resources: ApiResources,
  { namespace, enforced }: NamespaceChoice,
): { planned: PlannedObject[]; problems: ManifestProblem[]; known: ApiResources } {
  const known = resources.with(objects.filter(isDefinition).flatMap(({ body }) => kindsOfDefinition(body)));
  const planned: PlannedObject[] = [];
  const problems: ManifestProblem[] = [];
  for (const source of objects) {
    const { apiVersion, kind, name, file, line, column } = source;
    const wrong = (what: string) => problems.push({ file, line, column, what });
    const resource = known.find(apiVersion, kind);
    if (!resource) {
      wrong(describeMissingKind(apiVersion, kind, known));
      continue;
    }
    if (resource.namespaced && enforced && source.namespace !== undefined && source.namespace !== namespace) {
      wrong(`${kind} ${name} says namespace ${source.namespace}, and -n says ${namespace}: leave one of them out`);
      continue;
    }
    const where = resource.namespaced ? source.namespace ?? namespace : undefined;
    const path = `${collectionPath(resource, where)}/${encodeURIComponent(name)}`;
    planned.push({ source, resource, namespace: where, path, label: objectLabel(source), body: withNamespace(source.body, where) });
  }
  return { planned, problems, known };
}

/** Objects that are there twice. */
export function duplicateObjects(objects: readonly SourcedObject[], namespace: string): ManifestProblem[] {
  const first = new Map<string, SourcedObject>();
  return objects.flatMap((object) => {
    const key = objectKey(object, namespace);
    const before = first.get(key);
    if (!before) {
      first.set(key, object);
      return [];
    }
    const { file, line, column, kind, name } = object;
    return [{ file, line, column, what: `${kind} ${name} is there twice: the first is at ${before.file}:${before.line}` }];
  });
}

/** Splits what others need, namespaces and definitions of kinds, from the others. Each part keeps its order. */
export function inOrder(planned: readonly PlannedObject[]): { first: PlannedObject[]; rest: PlannedObject[] } {
  const isFirst = ({ source }: PlannedObject) => isNamespace(source) || isDefinition(source);
  return { first: planned.filter(isFirst), rest: planned.filter((object) => !isFirst(object)) };
}

/** Whether it is a Namespace. */
export function isNamespace({ apiVersion, kind }: ManifestObject): boolean {
  return apiVersion === "v1" && kind === "Namespace";
}

/** Whether it is a CustomResourceDefinition. */
export function isDefinition({ apiVersion, kind }: ManifestObject): boolean {
  return groupOf(apiVersion) === "apiextensions.k8s.io" && kind === "CustomResourceDefinition";
}

function withNamespace(body: SourcedObject["body"], namespace: string | undefined): SourcedObject["body"] {
  const { namespace: _, ...metadata } = body.metadata;
  return { ...body, metadata: namespace === undefined ? metadata : { ...metadata, namespace } };
}

function describeMissingKind(apiVersion: string, kind: string, known: ApiResources): string {
  const group = groupOf(apiVersion);
  const other = known.findGroupKind(group, kind);
  if (other) return `the cluster has no ${kind} in ${apiVersion}: it has it in ${group}/${other.version}`.replace(" in /", " in ");
  if (known.silentGroups.includes(group)) return `the cluster has no ${kind} in ${apiVersion}: what serves ${group} does not answer now`;
  return `the cluster has no ${kind} in ${apiVersion}: its CustomResourceDefinition is neither there nor among these files`;
}
