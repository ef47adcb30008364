import { labelGlobs } from "./filter_expression.ts";
import { commonString, type StringRules } from "./glob_intersection.ts";
import type { HookFilter } from "./hook_filter.ts";
import { type KindValue, readKind } from "./only_filter.ts";

/** A request that two filters match. */
export interface CommonRequest {
  /** Undefined if the filters name a subresource, whose kind may be any. */
  readonly kind?: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly user?: string;
}

/** Whether two filters match a request in common. */
export type FilterComparison =
  | { readonly is: "disjoint" }
  | { readonly is: "overlap"; readonly example: string; readonly request: CommonRequest }
  | { readonly is: "unknown" };

const ALPHANUMERIC = /[a-z0-9]/i;
const NAMESPACE: StringRules = { minLength: 1, maxLength: 63, edge: ALPHANUMERIC };
const LABEL: StringRules = { minLength: 0, maxLength: 63, edge: ALPHANUMERIC };
const NAME: StringRules = { minLength: 1, maxLength: 253 };
const USER: StringRules = { minLength: 1, maxLength: 1_000 };

/** What the values of one key have in common: "none" if nothing, undefined if the key is in neither filter. */
type Common = { readonly text: string } | "none" | "undecided" | undefined;

/**
 * Compares two filters. They are disjoint if, for one key, no value can match both; only the API server could tell what `--match` does.
 * A kind and a resource are compared if the resource is the kind's usual plural.
 */
export function compareFilters(a: HookFilter, b: HookFilter): FilterComparison {
  const keys = (key: "namespace" | "name" | "user") => [a.only[key], b.only[key]];
  const labelsOf = [labelGlobs(a.only.label ?? []), labelGlobs(b.only.label ?? [])];
  const labelKeys = new Set(labelsOf.flatMap((labels) => [...labels.keys()]));
  const labels = [...labelKeys].map((key) =>
    [key, common(labelsOf.map((globs) => globs.get(key)?.map((glob) => glob ?? "*")), LABEL)] as const
  );
  const namespace = common(keys("namespace"), NAMESPACE);
  const name = common(keys("name"), NAME);
  const user = common(keys("user"), USER);
  const kinds = commonKinds(a.only.kind, b.only.kind);
  const found = [namespace, name, user, ...labels.map(([, value]) => value)];
  if (found.includes("none") || (kinds.types.length === 0 && kinds.areAll)) return { is: "disjoint" };
  if (found.includes("undecided") || a.match !== undefined || b.match !== undefined) return { is: "unknown" };

  const values = Object.fromEntries(labels.map(([key, value]) => [key, textOf(value) ?? ""]));
  for (const type of kinds.types) {
    // The namespace of a Namespace is its own name.
    const isNamespace = type.resource === "namespaces" && type.group === "" && namespace !== undefined;
    const ownName = isNamespace ? common([...keys("name"), ...keys("namespace")], NAMESPACE) : undefined;
    if (isNamespace && textOf(ownName) === undefined) continue;
    const named = defined({ name: textOf(ownName ?? name), namespace: textOf(ownName ?? namespace), user: textOf(user) });
    const request = { ...type, ...named, labels: values };
    return { is: "overlap", example: describeRequest(request), request };
  }
  return { is: "unknown" };
}

/** A string that globs of all lists match; one that looks like a name, if there is one. */
function common(lists: readonly (readonly string[] | undefined)[], rules: StringRules): Common {
  const given = lists.filter((list) => list !== undefined);
  if (given.length === 0) return undefined;
  const nice = commonString(given, { edge: ALPHANUMERIC, ...rules });
  return nice ?? (rules.edge ? undefined : commonString(given, rules)) ?? "none";
}

function textOf(found: Common): string | undefined {
  return typeof found === "object" ? found.text : undefined;
}

type CommonType = Pick<CommonRequest, "kind" | "group" | "resource" | "subresource">;

const POD: CommonType = { kind: "Pod", group: "", resource: "pods" };

/** The types of objects that both lists name, and whether those are all that they can have in common. */
function commonKinds(a: readonly string[] | undefined, b: readonly string[] | undefined): { types: CommonType[]; areAll: boolean } {
  if (a === undefined && b === undefined) return { types: [POD], areAll: true };
  const types: CommonType[] = [];
  let areAll = true;
  for (const one of (a ?? b ?? []).map(readKind)) {
    for (const other of (b ?? a ?? []).map(readKind)) {
      const type = commonType(one, other);
      if (type) types.push(type);
      else if ("kind" in one !== "kind" in other) areAll = false;
    }
  }
  return { types, areAll };
}

function commonType(one: KindValue, other: KindValue): CommonType | undefined {
  if ("resource" in one && "kind" in other) return commonType(other, one);
  if (one.group !== undefined && other.group !== undefined && one.group !== other.group) return undefined;
  const group = one.group ?? other.group;
  if ("resource" in one) {
    if (!("resource" in other) || one.resource !== other.resource) return undefined;
    const subresource = one.subresource ?? other.subresource;
    if (subresource !== (other.subresource ?? subresource)) return undefined;
    return { group: group ?? "", resource: one.resource, ...defined({ subresource }) };
  }
  const resource = usualPlural(one.kind);
  const isSame = "kind" in other ? other.kind === one.kind : other.resource === resource && other.subresource === undefined;
  return isSame ? { kind: one.kind, group: group ?? "", resource } : undefined;
}

/** The resource of a kind, as kinds are usually made plural. */
function usualPlural(kind: string): string {
  const name = kind.toLowerCase();
  if (name === "endpoints") return name;
  if (/[^aeiou]y$/.test(name)) return `${name.slice(0, -1)}ies`;
  return /s$/.test(name) ? `${name}es` : `${name}s`;
}

/** A request in words: "a Pod named web-1 in dev-alice". */
function describeRequest({ kind, group, resource, subresource, name, namespace, labels, user }: CommonRequest): string {
  const type = (kind ?? resource) + (group && `.${group}`);
  const what = kind === undefined
    ? type + (subresource === undefined ? "" : `/${subresource}`)
    : `${/^[AEIO]/.test(type) ? "an" : "a"} ${type}`;
  const labelled = Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(",");
  return [
    what,
    name && `named ${name}`,
    labelled && `with ${labelled}`,
    namespace && resource !== "namespaces" && `in ${namespace}`,
    user && `by ${user}`,
  ].filter(Boolean).join(" ");
}

/** An object without the fields that are undefined. */
function defined<K extends string>(fields: Readonly<Record<K, string | undefined>>): { readonly [key in K]?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { readonly [key in K]?: string };
}
