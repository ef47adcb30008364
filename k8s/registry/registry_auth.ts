/** How a registry wants to be shown who we are. */
export type Challenge =
  | { readonly is: "basic" }
  | { readonly is: "bearer"; readonly realm: string; readonly service: string | undefined; readonly scope: string | undefined };

/**
 * Reads a WWW-Authenticate header (RFC 9110). Of several challenges the first that is known counts, Bearer before Basic.
 * @returns undefined where there is none
 */
export function parseChallenge(header: string): Challenge | undefined {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const token = /\s*,?\s*(?:([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?=\s|$))/y;
  for (let match = token.exec(header); match; match = token.exec(header)) {
    const [, name, quoted, plain, scheme] = match;
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    else if (name !== undefined) challenges.at(-1)?.parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "");
  }
  const bearer = challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters.has("realm"))?.parameters;
  if (bearer) return { is: "bearer", realm: bearer.get("realm") as string, service: bearer.get("service"), scope: bearer.get("scope") };
  return challenges.some(({ scheme }) => scheme === "basic") ? { is: "basic" } : undefined;
}

/** A request for a token, and the body it is sent with where it is a POST. */
export interface TokenRequest {
  readonly url: URL;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: URLSearchParams;
}

/**
 * How to ask for a token (distribution's token authentication): by name and password, by OAuth2 with a refresh token, or as nobody.
 *
 * @param scopes what the token is for, such as `repository:me/app:pull,push`
 */
export function tokenRequest(
  { realm, service }: Extract<Challenge, { is: "bearer" }>,
  scopes: readonly string[],
  credentials: { username: string; password: string; identityToken?: string } | undefined,
): TokenRequest {
  const url = new URL(realm);
  if (credentials?.identityToken !== undefined) {
    const body = new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: credentials.identityToken,
      client_id: "kurun",
      scope: scopes.join(" "),
      ...service !== undefined && { service },
    });
    return { url, method: "POST", headers: {}, body };
  }
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  if (!credentials) return { url, method: "GET", headers: {} };
  url.searchParams.set("account", credentials.username);
  return { url, method: "GET", headers: { Authorization: basic(credentials) } };
}

/** The value of an Authorization header (RFC 7617). */
export function basic({ username, password }: { username: string; password: string }): string {
  const bytes = new TextEncoder().encode(`${username}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}
