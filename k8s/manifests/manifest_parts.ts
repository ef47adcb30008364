/** Splits a text into the parts that kubectl parses one by one: at lines that begin with `---`, and between JSON objects. Pure. */

/** The mark that editors on Windows put at the beginning of a file. */
export const BYTE_ORDER_MARK = "\ufeff";

/** Splits a text, into offsets. Files that were put together with cat may have a byte order mark in each part. */
export function manifestParts(text: string): { start: number; end: number }[] {
  return yamlParts(text).flatMap((part) => {
    const objects = jsonObjects(text.slice(part.start, part.end));
    return objects?.map(([from, to]) => ({ start: part.start + from, end: part.start + to })) ?? [part];
  });
}

/** The parts between separators. A separator line belongs to the part that it begins, since a value may follow it on the line. */
function yamlParts(text: string): { start: number; end: number }[] {
  const parts: { start: number; end: number }[] = [];
  let start = 0;
  // Where the directives of the document after the next separator may begin.
  let prologue: number | undefined = 0;
  let hasDirective = false;
  const cut = (at: number) => {
    if (at > start) parts.push({ start: contentStart(text, start, at), end: at });
    start = at;
  };
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\n", at) + 1 || text.length;
    const line = text.slice(at + (text[at] === BYTE_ORDER_MARK ? 1 : 0), end);
    if (line.startsWith("---")) {
      cut(hasDirective ? prologue! : at);
      [prologue, hasDirective] = [undefined, false];
    } else if (/^\.\.\.\s/.test(line)) [prologue, hasDirective] = [end, false];
    else if (prologue !== undefined && line.startsWith("%")) hasDirective = true;
    else if (!/^\s*(?:#|$)/.test(line)) [prologue, hasDirective] = [undefined, false];
    at = end;
  }
  cut(text.length);
  return parts;
}

/** Where a part begins: after a byte order mark if only comments precede it. */
function contentStart(text: string, start: number, end: number): number {
  const [before] = /^(?:---[^\S\n]*(?:#.*)?\r?\n)?(?:[^\S\n\ufeff]*(?:#.*)?\r?\n)*/.exec(text.slice(start, end))!;
  return text[start + before.length] === BYTE_ORDER_MARK ? start + before.length + 1 : start;
}

/** The offsets of JSON objects that follow one another; undefined if the text is not all JSON. */
function jsonObjects(text: string): [number, number][] | undefined {
  // After a separator, which may be the text's first line.
  const start = /^(?:---[^\S\n]*(?:#.*)?(?:\n|$))?\s*/.exec(text)![0].length;
  if (text[start] !== "{") return undefined;
  const objects: [number, number][] = [];
  let depth = 0;
  let from = start;
  for (const { 0: token, index } of text.slice(start).matchAll(/"(?:[^"\\]|\\.)*"|[{[]|[}\]]/g)) {
    if (token === "{" || token === "[") {
      if (depth++ === 0) from = start + index;
    } else if (token === "}" || token === "]") {
      if (--depth === 0) objects.push([from, start + index + 1]);
    }
  }
  let end = start;
  for (const [from, to] of objects) {
    if (text.slice(end, from).trim() !== "" || !isJson(text.slice(from, to))) return undefined;
    end = to;
  }
  return objects.length > 0 && text.slice(end).trim() === "" ? objects : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
