import type { HookFilter } from "./hook_filter.ts";
import { readKind, readLabel } from "./only_filter.ts";

/** The object of a request; the one before it if it is being deleted. */
const OBJECT = "object != null ? object : oldObject";

/** Its name; in a mutating webhook, what its name will begin with if the API server is going to generate it. A DELETE of many has no request.name. */
const NAME = "has(request.name) && request.name != '' ? request.name : o == null || !has(o.metadata) ? '' : " +
  "has(o.metadata.name) && o.metadata.name != '' ? o.metadata.name : has(o.metadata.generateName) ? o.metadata.generateName : ''";

/**
 * Whether it has labels. What another webhook's patch makes of a custom resource is not checked before the next webhook's conditions: labels
 * that are null or a text made the expression fail.
 */
const HAS_LABELS = "o != null && has(o.metadata) && has(o.metadata.labels) && type(o.metadata.labels) == map";

const IS_NAMESPACE = "request.resource.group == '' && request.resource.resource == 'namespaces'";

/**
 * The CEL expression of a filter for a webhook's matchConditions: a conjunction that can be joined to others with `&&`. It never fails,
 * except in the user's own part: with failurePolicy Fail, a failure refuses the request. It needs no CEL that is newer than Kubernetes 1.27:
 * Kubernetes 1.28 accepts no more in new objects.
 *
 * @returns "true" if the filter has no conditions
 */
export function filterExpression({ only, match }: HookFilter): string {
  const conditions: string[] = [];
  if (only.namespace) {
    const namespace = `${IS_NAMESPACE} ? (${NAME}) : has(request.namespace) ? request.namespace : ''`;
    conditions.push(exists("o", OBJECT, exists("ns", namespace, anyGlob("ns", only.namespace))));
  }
  if (only.name) conditions.push(exists("o", OBJECT, exists("n", NAME, anyGlob("n", only.name))));
  if (only.kind) conditions.push(any(only.kind.map(kindCondition)));
  for (const [key, globs] of labelGlobs(only.label ?? [])) {
    const value = `o.metadata.labels[${quote(key)}]`;
    const isAny = globs.some((glob) => glob === undefined || /^\*+$/.test(glob));
    const fits = isAny ? "" : ` && ${exists("v", value, `type(v) == string && ${anyGlob("v", globs as string[])}`)}`;
    conditions.push(exists("o", OBJECT, `${HAS_LABELS} && ${quote(key)} in o.metadata.labels${fits}`));
  }
  if (only.user) conditions.push(`has(request.userInfo.username) && ${anyGlob("request.userInfo.username", only.user)}`);
  // A comment at its end must not hide the parenthesis.
  if (match !== undefined) conditions.push(`(${match}${match.includes("//") ? "\n" : ""})`);
  return conditions.join(" && ") || "true";
}

/** The values of `label`, by key: values of one key are alternatives, different keys must all match, as in a selector. */
export function labelGlobs(values: readonly string[]): Map<string, (string | undefined)[]> {
  const byKey = new Map<string, (string | undefined)[]>();
  for (const { key, glob } of values.map(readLabel)) byKey.set(key, [...byKey.get(key) ?? [], glob]);
  return byKey;
}

/** Names a value for a condition: CEL of Kubernetes 1.27 has no other way to compute it once. */
function exists(variable: string, value: string, condition: string): string {
  return `[${value}].exists(${variable}, ${condition})`;
}

function kindCondition(value: string): string {
  const type = readKind(value);
  const [path, name] = "kind" in type
    ? ["request.kind", `kind == ${quote(type.kind)}`]
    : ["request.resource", `resource == ${quote(type.resource)}`];
  const conditions = [`${path}.${name}`];
  if (type.group !== undefined) conditions.push(`${path}.group == ${quote(type.group)}`);
  if ("subresource" in type) conditions.push(`has(request.subResource) && request.subResource == ${quote(type.subresource ?? "")}`);
  return conditions.join(" && ");
}

function anyGlob(variable: string, globs: readonly string[]): string {
  const literals = globs.filter((glob) => !glob.includes("*"));
  const conditions = globs.filter((glob) => glob.includes("*")).map((glob) => globCondition(variable, glob));
  if (literals.length === 1) conditions.unshift(`${variable} == ${quote(literals[0] as string)}`);
  if (literals.length > 1) conditions.unshift(`${variable} in [${literals.map(quote).join(", ")}]`);
  return any(conditions);
}

/** A glob's condition; a regular expression, which costs most, only if functions cannot tell. */
function globCondition(variable: string, glob: string): string {
  const [first = "", second = "", third, ...more] = glob.split(/\*+/);
  if (third === undefined) {
    if (second === "") return first === "" ? `${variable} != ''` : `${variable}.startsWith(${quote(first)})`;
    if (first === "") return `${variable}.endsWith(${quote(second)})`;
  } else if (more.length === 0 && first === "" && third === "") return `${variable}.contains(${quote(second)})`;
  const pattern = glob.split(/\*+/).map((part) => part.replace(/[\\.+?()|[\]{}^$]/g, "\\$&")).join(".*");
  return `${variable}.matches(${quote(`(?s)^${pattern}$`)})`;
}

function any(conditions: readonly string[]): string {
  if (conditions.length === 1 && !conditions[0]?.includes(" || ")) return conditions[0] as string;
  return `(${conditions.join(" || ")})`;
}

/** A string of CEL: JSON's escapes are a part of CEL's. */
function quote(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll("'", "\\'")}'`;
}
