/** How a registry wants clients to authenticate. */
export type Challenge =
  | { readonly is: "basic" }
  | { readonly is: "bearer"; readonly realm: string; readonly service: string | undefined; readonly scope: string | undefined };

const TOKEN = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
/** A parameter; lenient about what registries get wrong: unquoted URLs, and a quote that is not closed. */
const PARAMETER = `(?<name>${TOKEN})\\s*=\\s*(?:"(?<quoted>(?:[^"\\\\]|\\\\.)*)"?|(?<plain>[^\\s,"]+))`;
/** A scheme's only value, such as `YIIZ==`, and not its first parameter's beginning: the lookahead tells them apart. */
const TOKEN68 = "[A-Za-z0-9._~+/-]+=*(?=\\s*(?:,|$))";
const PARAMETER_OR_SCHEME = new RegExp(`${PARAMETER}|(?<scheme>${TOKEN})(?: +${TOKEN68})?`, "g");

/**
 * Reads the value of WWW-Authenticate (RFC 9110, section 11.6.1): several challenges, each with parameters or a token68. Several header lines
 * count as one, joined by commas, which is how `Headers` has them.
 * @returns the first Bearer challenge whose realm is a URL, else Basic; undefined if there is neither
 */
export function parseChallenge(header: string): Challenge | undefined {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  for (const { groups } of header.matchAll(PARAMETER_OR_SCHEME)) {
    const { scheme, name = "", quoted, plain = "" } = groups as Record<string, string | undefined>;
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    else challenges.at(-1)?.parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain);
  }
  const bearer = challenges.find(({ scheme, parameters }) => scheme === "bearer" && URL.canParse(parameters.get("realm") ?? ""))
    ?.parameters;
  if (bearer) return { is: "bearer", realm: bearer.get("realm") as string, service: bearer.get("service"), scope: bearer.get("scope") };
  return challenges.some(({ scheme }) => scheme === "basic") ? { is: "basic" } : undefined;
}

/**
 * The request for a token (Docker's token authentication): with name and password, with a refresh token (OAuth2), or anonymous.
 * @param scopes what the token is for, such as `repository:me/app:pull,push`
 */
export function tokenRequest(
  { realm, service }: Extract<Challenge, { is: "bearer" }>,
  scopes: readonly string[],
  credentials: { username: string; password: string; identityToken?: string } | undefined,
): { url: URL; method: "GET" | "POST"; authorization?: string; body?: () => URLSearchParams } {
  const url = new URL(realm);
  if (credentials?.identityToken !== undefined) {
    const body = new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: credentials.identityToken,
      client_id: "kurun",
      scope: scopes.join(" "),
      ...service !== undefined && { service },
    });
    return { url, method: "POST", body: () => body };
  }
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  if (!credentials) return { url, method: "GET" };
  url.searchParams.set("account", credentials.username);
  return { url, method: "GET", authorization: basic(credentials) };
}

/** The token in a token server's answer; undefined if there is none that could be sent in a header. */
export function tokenIn(answer: string): string | undefined {
  try {
    const { token, access_token } = JSON.parse(answer) as { token?: unknown; access_token?: unknown };
    const found = token || access_token;
    return typeof found === "string" && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
  } catch {
    return undefined; // the text may be a token after all, so it must not be shown
  }
}

/** The value of an Authorization header (RFC 7617). */
export function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${new TextEncoder().encode(`${username}:${password}`).toBase64()}`;
}
