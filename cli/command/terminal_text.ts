/** Longer lines are cut: a cluster's answer of a megabyte in one line hides everything before it. In characters, escapes included. */
const MAX_LINE = 10_000;
/**
 * Control characters (C0 but for tab and line feed, DEL, C1), invisible format characters (among them the bidirectional overrides that
 * reorder what a terminal shows), separators that some terminals break lines at, and lone surrogates. Joiners stay, emoji and several
 * scripts need them. A carriage return before a line feed stays too: it moves nothing.
 */
const UNPRINTABLE = /(?![\t\n\u200c\u200d]|\r\n)[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

/**
 * Makes any text safe to print on a terminal: characters that could start an escape sequence or hide text are printed as `\x1b` or
 * `\u202e`. Escaping a text twice changes nothing more.
 */
export function terminalText(text: string): string {
  const escaped = text.replace(UNPRINTABLE, escape);
  return escaped.length > MAX_LINE ? escaped.split("\n").map(cut).join("\n") : escaped;
}

/** {@linkcode terminalText} on a single line without tabs. */
export function terminalLine(text: string): string {
  return terminalText(text.replace(/\s*[\r\n]+\s*|\t/g, " "));
}

function escape(character: string): string {
  const code = character.codePointAt(0) as number;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, "0")}` : `\\u{${code.toString(16)}}`;
}

function cut(line: string): string {
  if (line.length <= MAX_LINE) return line;
  const note = ` … (${line.length} characters)`;
  // Never between the halves of a surrogate pair.
  return line.slice(0, MAX_LINE - note.length).replace(/[\ud800-\udbff]$/, "") + note;
}

/** A number of bytes as text: `12.3 kB`, `1.5 MB`, `43 MB`. */
export function megabytes(bytes: number): string {
  if (bytes < 1e5) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0)} MB`;
}
