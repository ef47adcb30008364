const BEGIN = "<!-- deno task bench --write: begin -->\n";
const END = "<!-- deno task bench --write: end -->\n";

/**
 * The document with other figures: what stands between its two marks is replaced, what people wrote around them stays.
 *
 * @throws {Error} where the marks are not there
 */
export function withFigures(document: string, figures: string): string {
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`The document lacks the lines ${BEGIN.trim()} and ${END.trim()}`);
  return `${document.slice(0, begin + BEGIN.length)}\n${figures.trim()}\n\n${document.slice(end)}`;
}
