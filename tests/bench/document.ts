/** A document's parts that are written here: the whole benchmark, and the comparison with other tunnels. */
export type Section = "bench" | "bench --with";

/**
 * Replaces the figures in a section of a document: the text between its two marks. The text around them stays.
 *
 * @throws {Error} if the marks are missing
 */
export function withFigures(document: string, section: Section, figures: string): string {
  const [beginMark, endMark] = ["begin", "end"].map((edge) => `<!-- deno task ${section} --write: ${edge} -->\n`) as [string, string];
  const [begin, end] = [document.indexOf(beginMark), document.indexOf(endMark)];
  if (begin < 0 || end < begin) throw new Error(`The document lacks the lines ${beginMark.trim()} and ${endMark.trim()}`);
  return `${document.slice(0, begin + beginMark.length)}\n${figures.trim()}\n\n${document.slice(end)}`;
}
