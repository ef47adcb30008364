/** What `--only` means, written down as plainly as possible, and filters at random to compare kurun with it. */
import type { SeededRandom } from "./seeded_random.ts";

/** The part of an object that filters look at. */
export interface AskedObject {
  metadata?: { name?: string; generateName?: string; labels?: Record<string, string> };
}

/** The part of an AdmissionReview's request that filters look at. */
export interface AskedRequest {
  kind: { group: string; kind: string };
  resource: { group: string; resource: string };
  subResource?: string;
  name?: string;
  namespace?: string;
  userInfo: { username?: string };
  object?: AskedObject;
  oldObject?: AskedObject;
}

/** Whether a request matches the values of `--only`. */
export function onlyMatches(only: readonly string[], request: AskedRequest): boolean {
  const alternatives = new Map<string, string[]>();
  for (const text of only) {
    const [, key = "", value = ""] = /^([a-z]+)=([^]*)$/.exec(text) ?? [];
    // Each label is a key of its own.
    const group = key === "label" ? `label ${value.split("=")[0]}` : key;
    alternatives.set(group, [...alternatives.get(group) ?? [], value]);
  }
  return [...alternatives].every(([key, values]) => values.some((value) => valueMatches(key.split(" ")[0] as string, value, request)));
}

function valueMatches(key: string, value: string, request: AskedRequest): boolean {
  const { metadata = {} } = request.object ?? request.oldObject ?? {};
  const name = request.name || metadata.name || metadata.generateName || "";
  const isNamespace = request.resource.group === "" && request.resource.resource === "namespaces";
  switch (key) {
    case "namespace":
      return nonEmptyMatch(value, isNamespace ? name : request.namespace);
    case "name":
      return nonEmptyMatch(value, name);
    case "user":
      return nonEmptyMatch(value, request.userInfo.username);
    case "label": {
      const [label = "", ...rest] = value.split("=");
      if (!Object.hasOwn(metadata.labels ?? {}, label)) return false;
      return rest.length === 0 || globMatches(rest.join("="), metadata.labels?.[label] as string);
    }
    default: {
      const [type = "", subresource] = value.split("/");
      const [first = "", ...rest] = type.split(".");
      const isGroup = (group: string) => rest.length === 0 || rest.join(".") === group;
      if (/^[A-Z]/.test(first)) return request.kind.kind === first && isGroup(request.kind.group);
      return request.resource.resource === first && isGroup(request.resource.group) &&
        (subresource === undefined || request.subResource === subresource);
    }
  }
}

function nonEmptyMatch(glob: string, text: string | undefined): boolean {
  return text !== undefined && text !== "" && globMatches(glob, text);
}

/** Whether a glob (`*` is the only wildcard) matches a whole string. */
export function globMatches(glob: string, text: string): boolean {
  return new RegExp(`^${glob.split("*").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("[^]*")}$`, "u").test(text);
}

/** The strings that requests and filters are made of, for each key of `--only`; those of `label` are `KEY=VALUE`. */
export type Vocabulary = Readonly<Record<"namespace" | "name" | "kind" | "label" | "user", readonly string[]>>;

/** Some values of `--only`, near the strings of a vocabulary: the string itself, or a part of it with wildcards. They may be refused. */
export function randomOnly(random: SeededRandom, vocabulary: Vocabulary): string[] {
  const only: string[] = [];
  for (const key of ["namespace", "name", "kind", "label", "user"] as const) {
    if (!random.chance(0.5)) continue;
    for (let values = 1 + random.below(2); values > 0; values--) {
      const text = random.pick(vocabulary[key]);
      const [label, value = ""] = text.split("=");
      if (key === "kind") only.push(`kind=${text}`);
      else if (key !== "label") only.push(`${key}=${randomGlob(random, text)}`);
      else only.push(`label=${label}${random.chance(0.3) ? "" : `=${randomGlob(random, value)}`}`);
    }
  }
  return only;
}

/** A glob near a string: often it matches. */
export function randomGlob(random: SeededRandom, text: string): string {
  let letters = [...text];
  while (random.chance(0.4)) {
    const from = random.below(letters.length + 1);
    letters = [...letters.slice(0, from), "*", ...letters.slice(from + random.below(letters.length - from + 1))];
  }
  if (random.chance(0.1) && letters.length > 1) letters.splice(random.below(letters.length), 1);
  return letters.join("") || "*";
}
