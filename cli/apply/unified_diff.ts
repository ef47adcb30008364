import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";

/**
 * The search for the shortest difference takes time by the square of its size: 12,000 lines against 12,000 others would take a minute.
 * Beyond so many changed lines all lines are shown as replaced.
 */
const MAX_EDITS = 3_000;

/** The difference between two texts as `diff -u` prints it under their names; empty where they are the same. */
export function unifiedDiff(before: string, after: string, names: { before: string; after: string }): string {
  if (before === after) return "";
  // Additions and removals alone are found at once, however many they are.
  const maxEditLength = before === "" || after === "" ? Infinity : MAX_EDITS;
  const options = { context: 3, headerOptions: FILE_HEADERS_ONLY, maxEditLength };
  return createTwoFilesPatch(names.before, names.after, before, after, undefined, undefined, options) ?? replacement(before, after, names);
}

/** All lines replaced, but for those that are the same at the beginning and at the end. */
function replacement(before: string, after: string, names: { before: string; after: string }): string {
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
