/** @returns each word with how often it is there, the most frequent first, and by the alphabet where they are equal */
export function countWords(text: string): [word: string, count: number][] {
  const counts = new Map<string, number>();
  for (const [word] of text.toLowerCase().matchAll(/\p{L}+/gu)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].sort(([a, m], [b, n]) => n - m || a.localeCompare(b));
}
