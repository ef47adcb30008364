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
