/** Which requests a user wants to answer: the values of `--only` and `--match`. Pure. */

/** The keys of `--only`. */
export const ONLY_KEYS = ["namespace", "name", "kind", "label", "user"] as const;
/** One of {@linkcode ONLY_KEYS}. */
export type OnlyKey = (typeof ONLY_KEYS)[number];

/** A filter of requests; one without conditions matches all. */
export interface HookFilter {
  /** The values of each key, as given: a request must match one value of each key that is there. */
  readonly only: Readonly<Partial<Record<OnlyKey, readonly string[]>>>;
  /** A CEL expression of the user's own (`--match`), which must be true as well. */
  readonly match?: string;
}

/** Reads a filter from an annotation, which anybody may have written. @returns undefined if it is not a filter */
export function readFilter(text: string | undefined): HookFilter | undefined {
  try {
    const { only, match } = JSON.parse(text ?? "");
    const entries: [string, unknown][] = Object.entries(only);
    const isKnown = entries.every(([key, values]) =>
      (ONLY_KEYS as readonly string[]).includes(key) && Array.isArray(values) && values.every((value) => typeof value === "string")
    );
    if (!isKnown || match !== undefined && typeof match !== "string") return undefined;
    return { only: Object.fromEntries(entries), ...(match === undefined ? {} : { match }) };
  } catch {
    return undefined;
  }
}
