/**
 * What went wrong with a registry. "unreachable": there was no answer. "strange": it does not follow the distribution-spec, or asks for
 * something unsafe. "unauthorized": it wants a login, or does not accept the credentials, which came from `credentials`. "denied": it
 * accepts them but not this push. "answered": another error, several times if it could have passed.
 */
export type RegistryFailure =
  | { readonly is: "unreachable" | "strange"; readonly said: string }
  | { readonly is: "unauthorized" | "denied"; readonly credentials: string | undefined; readonly said: string }
  | { readonly is: "answered"; readonly status: number; readonly said: string };

/** A registry could not be used. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";

  /** @param registry host and port @param doing what was tried: `reach it`, or such as `push me/app` */
  constructor(readonly registry: string, readonly doing: string, readonly failure: RegistryFailure) {
    super(`${registry}: cannot ${doing}: ${failure.is}`);
  }
}

/** What a registry's answer says, on one line of at most 300 characters: its errors by code and message, a page's title, or its text. */
export function saidByRegistry(text: string): string {
  const line = (saidInJson(text) ?? saidInPage(text) ?? text).replace(/[\s\p{Cc}]+/gu, " ").trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}

/** The fields of the distribution-spec's errors, then those of token servers (Docker's, OAuth2's) and proxies. */
function saidInJson(text: string): string | undefined {
  let answer: Record<string, unknown> | null;
  try {
    answer = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof answer !== "object" || answer === null) return undefined;
  const errors = Array.isArray(answer.errors) ? answer.errors as ({ code?: unknown; message?: unknown } | null)[] : [];
  const said = errors.map((error) => [error?.code, error?.message].filter(isText).join(": ")).filter(isText);
  if (said.length > 0) return said.join("; ");
  return [answer.details, answer.error_description, answer.message, answer.error].find(isText);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** An HTML page's title, else its text. */
function saidInPage(text: string): string | undefined {
  if (!/^\s*<(?:!doctype|html|head|body)/i.test(text)) return undefined;
  const [, title] = /<title[^>]*>([^<]+)/i.exec(text) ?? [];
  return title ?? text.replace(/<(style|script)\b[^]*?<\/\1>|<[^>]*>/gi, " ");
}
