import { type HookFilter, ONLY_KEYS, type OnlyKey } from "./hook_filter.ts";
import { celProblem } from "./cel_brackets.ts";

/** A `--only` or `--match` that cannot be used. The message names the flag, what was seen and what to do. */
export class HookFilterError extends Error {
  override readonly name = "HookFilterError";
}

/** A value of `kind`: a kind (`Deployment.apps`), or a resource (`deployments.apps/scale`). Without a group it matches any group. */
export type KindValue =
  | { readonly kind: string; readonly group?: string }
  | { readonly resource: string; readonly group?: string; readonly subresource?: string };

/** A value of `label`: objects that have the label, or those whose value matches a glob. */
export interface LabelValue {
  readonly key: string;
  readonly glob?: string;
}

/**
 * Reads the values of `--only` and `--match`.
 *
 * @throws HookFilterError for an unknown key, and for a value that nothing can match
 */
export function parseFilter(only: readonly string[], match?: string): HookFilter {
  const values: Partial<Record<OnlyKey, string[]>> = {};
  for (const text of only) {
    const { key, value } = splitOnly(text);
    const problem = value === "" ? "the value is empty" : PROBLEMS[key](value);
    if (problem !== undefined) throw new HookFilterError(`--only ${text}: ${problem}`);
    const known = values[key] ??= [];
    if (!known.includes(value)) known.push(value);
  }
  if (match === undefined) return { only: values };
  const problem = match.trim() === "" ? "the expression is empty" : celProblem(match);
  if (problem !== undefined) throw new HookFilterError(`--match ${match}: ${problem}`);
  return { only: values, match };
}

/** The parts of a value of `kind` that {@linkcode parseFilter} accepted. */
export function readKind(value: string): KindValue {
  const [name = "", subresource] = value.split("/");
  const dot = name.indexOf(".");
  const type = dot < 0 ? name : name.slice(0, dot);
  const group = dot < 0 ? {} : { group: name.slice(dot + 1) };
  if (/^[A-Z]/.test(type)) return { kind: type, ...group };
  return { resource: type, ...group, ...(subresource === undefined ? {} : { subresource }) };
}

/** The parts of a value of `label`. */
export function readLabel(value: string): LabelValue {
  const equals = value.indexOf("=");
  return equals < 0 ? { key: value } : { key: value.slice(0, equals), glob: value.slice(equals + 1) };
}

function splitOnly(text: string): { key: OnlyKey; value: string } {
  const equals = text.indexOf("=");
  const key = text.slice(0, equals < 0 ? text.length : equals);
  const keys = `${ONLY_KEYS.slice(0, -1).join(", ")} or ${ONLY_KEYS.at(-1)}`;
  if (!ONLY_KEYS.includes(key as OnlyKey)) throw new HookFilterError(`--only ${text}: expected KEY=VALUE, where KEY is ${keys}`);
  if (equals < 0) throw new HookFilterError(`--only ${text}: the value is missing; write ${text}=VALUE`);
  return { key: key as OnlyKey, value: text.slice(equals + 1) };
}

/** What is wrong with a value of each key: a filter that matches nothing would look like a webhook that is never called. */
const PROBLEMS: Readonly<Record<OnlyKey, (value: string) => string | undefined>> = {
  namespace: (value) => {
    if (/^[a-z0-9*]([-a-z0-9*]*[a-z0-9*])?$/.test(value) && literals(value) <= 63) return undefined;
    return `no namespace can have that name: it has up to 63 characters of a-z, 0-9 and "-"${hint(value)}`;
  },
  name: (value) => {
    if (!/[/%]|^\.\.?$/.test(value) && value.isWellFormed() && literals(value) <= 253) return undefined;
    return `no object can have that name: it has up to 253 characters, and no "/" or "%"`;
  },
  kind: (value) => {
    const type = /^(?:[A-Z][A-Za-z0-9]*|[a-z][a-z0-9-]*)(\.[a-z0-9][-.a-z0-9]*)?(?<subresource>\/[a-z]+)?$/.exec(value);
    if (type === null || (/^[A-Z]/.test(value) && type.groups?.subresource)) {
      return "expected a kind (Pod, Deployment.apps) or a resource (pods, deployments.apps, pods/exec)";
    }
    const group = type[1]?.slice(1);
    if (group !== undefined && /^(?:core|v\d+(?:(?:alpha|beta)\d+)?)(?:\.|$)/.test(group)) {
      return `a kind has no version here, and the core group has no name: write ${value.replace(/\.(?:core|v\w+)/, "")}`;
    }
    // Singular and short names (pod, svc) match nothing; a custom resource whose plural has no "s" can be named with its group.
    if (/^[a-z]/.test(value) && group === undefined && !/s(?:\/|$)/.test(value)) {
      return "expected a kind (Pod) or a resource in the plural (pods); a plural without an s needs its group (sheep.example.com)";
    }
    return undefined;
  },
  label: (value) => {
    const { key, glob = "" } = readLabel(value);
    const [name = "", ...prefix] = key.split("/").reverse();
    const named = /^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$/.test(name) && name.length <= 63;
    if (!named || prefix.length > 1 || prefix.some((part) => !/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(part) || part.length > 253)) {
      return `"${key}" is not a label's key; write label=KEY, or label=KEY=VALUE`;
    }
    if (/^(?:[A-Za-z0-9*]([-_.A-Za-z0-9*]*[A-Za-z0-9*])?)?$/.test(glob) && literals(glob) <= 63) return undefined;
    return `no label can have the value "${glob}": it has up to 63 characters of A-Z, a-z, 0-9, "-", "_" and "."${hint(glob)}`;
  },
  user: (value) => value.isWellFormed() ? undefined : "the name is not valid Unicode",
};

/** How many characters a string that matches a glob has at least. */
function literals(glob: string): number {
  return [...glob.replaceAll("*", "")].length;
}

function hint(value: string): string {
  if (value.includes(",")) return "; give --only once for each value";
  return /[?[\]{}]/.test(value) ? "; * is the only wildcard" : "";
}
