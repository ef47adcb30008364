import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";

/** The names of the two texts in a diff's header. */
export interface DiffNames {
  readonly before: string;
  readonly after: string;
}

/**
 * The search for the shortest difference takes time by the square of its size: 12,000 lines against 12,000 others would take a minute.
 * Beyond so many changed lines all lines are shown as replaced.
 */
const MAX_EDITS = 3_000;

/** The difference between two texts as `diff -u` prints it; empty where they are the same. */
export function unifiedDiff(before: string, after: string, names: DiffNames): string {
  if (before === after) return "";
  const options = { context: 3, headerOptions: FILE_HEADERS_ONLY };
  // Additions and removals alone are found at once, however many they are.
  const maxEditLength = before === "" || after === "" ? Infinity : MAX_EDITS;
  return createTwoFilesPatch(names.before, names.after, before, after, undefined, undefined, { ...options, maxEditLength }) ??
    replacement(before, after, names);
}

/** All lines replaced, but for those that are the same at the beginning and at the end. */
function replacement(before: string, after: string, names: DiffNames): string {
  const [old, changed] = [before, after].map((text) => text.replace(/\n$/, "").split("\n")) as [string[], string[]];
  const shorter = Math.min(old.length, changed.length);
  let start = 0;
  while (start < shorter && old[start] === changed[start]) start++;
  let end = 0;
  while (end < shorter - start && old.at(-1 - end) === changed.at(-1 - end)) end++;
  const removed = old.slice(start, old.length - end).map((line) => `-${line}`);
  const added = changed.slice(start, changed.length - end).map((line) => `+${line}`);
  const header = `@@ -${start + 1},${removed.length} +${start + 1},${added.length} @@`;
  return [`--- ${names.before}`, `+++ ${names.after}`, header, ...removed, ...added, ""].join("\n");
}
