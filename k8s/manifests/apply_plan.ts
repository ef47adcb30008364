/** Which objects to apply, where each is in the API, and in which order. Pure. */

import { type ApiResource, ApiResources, collectionPath, groupOf, kindsOfDefinition } from "./discovery.ts";
import { type ManifestObject, objectKey, objectLabel } from "./manifest_objects.ts";
import type { Remark } from "./manifest_text.ts";

/** An object of a manifest, with the file or URL it comes from. */
export interface SourcedObject extends ManifestObject {
  readonly file: string;
}

/** A problem and its place. */
export interface ManifestProblem extends Remark {
  readonly file: string;
}

/** An object and where it is in the API. */
export interface PlannedObject {
  readonly source: SourcedObject;
  readonly resource: ApiResource;
  /** Undefined if the kind has no namespaces. */
  readonly namespace: string | undefined;
  readonly path: string;
  /** `deployment.apps/web` */
  readonly label: string;
  /** With its namespace. */
  readonly body: SourcedObject["body"];
}

/** The namespace of objects that name none, and whether they may name another. */
export interface NamespaceChoice {
  readonly namespace: string;
  /** Whether the user gave it with -n, so that an object in another namespace is a mistake. */
  readonly enforced: boolean;
}

/** Finds each object's place in the API. CustomResourceDefinitions among the objects add their kinds to those that are `known`. */
export function planObjects(
  objects: readonly SourcedObject[],
  resources: ApiResources,
  { namespace, enforced }: NamespaceChoice,
): { planned: PlannedObject[]; problems: ManifestProblem[]; known: ApiResources } {
  const defined = objects.filter(isDefinition).flatMap(({ body }) => kindsOfDefinition(body));
  // Kinds of the cluster come first.
  const known = new ApiResources([...resources.all, ...defined], resources.silentGroups);
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
      wrong(`${kind} ${name} is in namespace ${source.namespace}, but -n says ${namespace}: remove one of them`);
      continue;
    }
    const where = resource.namespaced ? source.namespace ?? namespace : undefined;
    const path = `${collectionPath(resource, where)}/${encodeURIComponent(name)}`;
    planned.push({ source, resource, namespace: where, path, label: objectLabel(source), body: withNamespace(source.body, where) });
  }
  return { planned, problems, known };
}

/** Problems for objects that occur twice. */
export function duplicateObjects(objects: readonly SourcedObject[], namespace: string): ManifestProblem[] {
  const same = Map.groupBy(objects, (object) => objectKey(object, namespace));
  return [...same.values()].flatMap(([first, ...others]) =>
    others.map(({ file, line, column, kind, name }) => {
      return { file, line, column, what: `${kind} ${name} occurs twice; the first is at ${first!.file}:${first!.line}` };
    })
  );
}

/** Splits off the objects that others need: namespaces and CustomResourceDefinitions. Each part keeps its order. */
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
  if (other) return `the cluster has no ${kind} in ${apiVersion}, only in ${group}/${other.version}`.replace(" in /", " in ");
  if (known.silentGroups.includes(group)) return `the cluster has no ${kind} in ${apiVersion}: the API server of ${group} does not answer`;
  return `the cluster has no ${kind} in ${apiVersion}: its CustomResourceDefinition is neither in the cluster nor in these files`;
}
