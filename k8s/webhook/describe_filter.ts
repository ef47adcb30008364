import type { HookFilter } from "./hook_filter.ts";

/** A filter in words and on one line, such as "Pod named web-* in dev-* by alice"; empty if it matches all. The values are a user's, not escaped. */
export function describeFilter({ only, match }: HookFilter): string {
  const { kind, name, label, namespace, user } = only;
  const phrases = [
    kind?.join(" or "),
    name && `named ${name.join(" or ")}`,
    label && `with ${label.join(", ")}`,
    namespace && `in ${namespace.join(" or ")}`,
    user && `by ${user.join(" or ")}`,
    match && `where ${match}`,
  ];
  return phrases.filter((phrase) => phrase !== undefined).join(" ").replace(/\s+/g, " ");
}
