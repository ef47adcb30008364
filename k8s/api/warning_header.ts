/** What one warning consists of; the date at the end is optional and not used. RFC 7234 section 5.5, read as client-go reads it. */
const WARNING = /^[\t-\r ]*(\d{3}) ([^ ]+) "((?:[^"\\]|\\.)*)"[\t-\r ]*(?:"[^"]*"[\t-\r ]*)?/s;

/**
 * The texts of the warnings in `Warning` headers, which is where the API server reports a violated Pod Security level and the like. As
 * in client-go, a malformed warning and those after it in the same header are skipped, and only code 299 counts.
 * @param headers values of the header, one character a byte
 */
export function parseWarnings(headers: readonly string[]): string[] {
  const texts: string[] = [];
  for (const header of headers) {
    for (let rest = header; rest !== "";) {
      const [whole = "", code, agent = "", quoted = ""] = WARNING.exec(rest) ?? [];
      const text = decoded(quoted.replace(/\\(.)/gs, "$1"));
      rest = rest.slice(whole.length);
      if (whole === "" || text === undefined || decoded(agent) === undefined || !/^(,|$)/.test(rest)) break;
      if (code === "299" && text !== "") texts.push(text);
      rest = rest.replace(/^,[\t-\r ]*/, "");
    }
  }
  return texts;
}

/** The UTF-8 text of these bytes; undefined if they are not valid UTF-8 or contain control characters. */
function decoded(bytes: string): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
    return /\p{Cc}/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
