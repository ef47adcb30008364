/** Strings (raw and in triple quotes too), comments and brackets of CEL, and a quote that ends nowhere. */
const TOKEN =
  /[bB]?[rR][bB]?(?:"""[^]*?"""|'''[^]*?'''|"[^"\r\n]*"|'[^'\r\n]*')|"""(?:\\[^]|[^\\])*?"""|'''(?:\\[^]|[^\\])*?'''|"(?:\\[^\r\n]|[^"\\\r\n])*"|'(?:\\[^\r\n]|[^'\\\r\n])*'|\/\/[^\n]*|[()[\]{}"']/g;

const CLOSES: Readonly<Record<string, string>> = { ")": "(", "]": "[", "}": "{" };

/**
 * Says why a CEL expression cannot stand between parentheses: `true) || (true` would leave the session's guard, and a webhook that
 * nobody answers would stay on. The API server checks the rest.
 */
export function celProblem(expression: string): string | undefined {
  const open: string[] = [];
  for (const [token] of expression.matchAll(TOKEN)) {
    if (token === '"' || token === "'") return `a string that begins with ${token} has no end`;
    if ("([{".includes(token)) open.push(token);
    else if (token in CLOSES && open.pop() !== CLOSES[token]) return `"${token}" closes nothing`;
  }
  return open.length === 0 ? undefined : `"${open.pop()}" is not closed`;
}
