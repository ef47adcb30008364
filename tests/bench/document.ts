const BEGIN = "<!-- deno task bench --write: begin -->\n";
const END = "<!-- deno task bench --write: end -->\n";

/**
 * Replaces the figures in a document: the text between its two marks. The text around them stays.
 *
 * @throws {Error} if the marks are missing
 */
export function withFigures(document: string, figures: string): string {
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`The document lacks the lines ${BEGIN.trim()} and ${END.trim()}`);
  return `${document.slice(0, begin + BEGIN.length)}\n${figures.trim()}\n\n${document.slice(end)}`;
}
