/** An HTTP client for one registry (OCI distribution-spec 1.1) that authenticates, follows redirects, and retries if that helps. @module */
import { basic, type Challenge, parseChallenge, tokenIn, tokenRequest } from "./registry_auth.ts";
import type { RegistryCredentials } from "./registry_credentials.ts";
import { RegistryError, type RegistryFailure, saidByRegistry } from "./registry_error.ts";
import { isLoopback, registryHost } from "./registry_repository.ts";

/** What a client needs. */
export interface RegistryClientOptions {
  /** As image names spell it. */
  readonly registry: string;
  readonly credentials: RegistryCredentials | undefined;
  /** Certificate authorities to trust in addition to Deno's. PEM. */
  readonly authorities?: readonly string[];
  readonly userAgent: string;
  readonly signal: AbortSignal;
  /** Waits between two attempts, in milliseconds. */
  pause(ms: number): Promise<void>;
}

/** Options for a single request. */
export interface RegistryRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  /** A path on the registry, or an address that the registry gave. */
  readonly target: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called for each attempt. `took` is told how many bytes were read, and starts the time limit again. */
  readonly body?: (took: (bytes: number) => void) => BodyInit;
  /** What the token must allow, such as `repository:me/app:pull,push`. */
  readonly scopes: readonly string[];
  /** For errors, such as `push me/app`. */
  readonly doing: string;
  /** Statuses other than 2xx that are returned instead of thrown. */
  readonly accept?: (status: number) => boolean;
  /** Whether a broken connection is not retried here. @default false */
  readonly once?: boolean;
  /** How long the answer may take, in milliseconds. @default 30,000 */
  readonly timeoutMs?: number;
}

/** A registry's answer. */
export interface RegistryAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The first MiB of the body. */
  readonly text: string;
  /** Where the request was sent first, and where the answer came from, to which a relative Location is relative. */
  readonly asked: URL;
  readonly url: URL;
}

/** A request whose address and authorization have been decided. */
interface SentRequest extends Omit<RegistryRequest, "target" | "scopes"> {
  readonly authorization?: string | undefined;
  /** Whether a redirect may lead to another server. */
  readonly mayLeave: boolean;
}

/** Why there was no answer, or none that could be read to its end. */
type NoAnswer = { readonly said: string };

/** The pauses between attempts, in milliseconds; there is one attempt more than pauses. */
const PAUSES_MS = [200, 800, 2_500];
/** A longer Retry-After is not waited for: the error is more useful. */
const MAX_RETRY_AFTER_MS = 10_000;
const TIMEOUT_MS = 30_000;
const MAX_REDIRECTS = 5;
/** How often a request asks for a new token after a 401: concurrent requests may use up a token that is good for only a few. */
const MAX_RENEWALS = 3;
/** Tokens have a few KB; an error page without an end must not fill the memory. */
const MAX_TEXT = 1024 * 1024;

/** A registry. */
export class RegistryClient implements Disposable {
  readonly registry: string;
  readonly #options: RegistryClientOptions;
  readonly #http: Deno.HttpClient;
  readonly #tokens = new Map<string, Promise<string>>();
  #base: Promise<URL> | undefined;
  #challenge: Challenge | undefined;

  /** @throws RegistryError if one of the authorities is not a certificate */
  constructor(options: RegistryClientOptions) {
    this.registry = options.registry;
    this.#options = options;
    try {
      this.#http = Deno.createHttpClient({ caCerts: [...options.authorities ?? []] });
    } catch (error) {
      const said = `a certificate authority in SSL_CERT_FILE or in certs.d cannot be read: ${(error as Error).message}`;
      throw this.#strange("reach it", said);
    }
  }

  [Symbol.dispose](): void {
    this.#http.close();
  }

  /**
   * Sends a request. Broken connections, 5xx, 408 and 429 are retried; after a 401 the request is sent again with a new token.
   * @throws RegistryError, or the signal's reason
   */
  async request(request: RegistryRequest): Promise<RegistryAnswer> {
    const base = await (this.#base ??= this.#findBase());
    const url = this.#resolve(request.target, base, request.doing);
    for (let renewals = 0;; renewals++) {
      // An address outside the registry, such as a cloud's storage, carries its own signature.
      const authorization = isSameServer(url, base) ? await this.#authorization(request) : undefined;
      const answer = await this.#sendUntilFinal([url], { ...request, authorization, mayLeave: true });
      if (isOk(answer)) return answer;
      // A challenge from elsewhere would choose where the credentials go.
      const most = this.#challenge?.is === "basic" ? 1 : MAX_RENEWALS; // a wrong password must not lock an account
      if (answer.status === 401 && renewals < most && isSameServer(answer.url, base)) {
        this.#challenge = parseChallenge(answer.headers.get("www-authenticate") ?? "") ?? this.#challenge;
        await this.#forgetToken(request.scopes, authorization);
        continue;
      }
      if (request.accept?.(answer.status)) return answer;
      throw this.#error(request.doing, this.#failure(answer));
    }
  }

  /** Some registries behind a proxy that terminates TLS give their own addresses as http://: stay with TLS there. */
  #resolve(target: string | URL, base: URL, doing: string): URL {
    const url = URL.parse(target, base);
    if (url === null) throw this.#strange(doing, `it redirects to "${target}", which is not a URL`);
    if (url.protocol === "http:" && base.protocol === "https:" && url.hostname === base.hostname) {
      return new URL(url.pathname + url.search, base);
    }
    return url;
  }

  /** Asks for `/v2/` to learn how the registry authenticates, and whether one on this machine speaks TLS. */
  async #findBase(): Promise<URL> {
    const host = registryHost(this.registry);
    const doing = "reach it";
    const urls = (isLoopback(host) ? ["https", "http"] : ["https"]).map((scheme) => new URL(`${scheme}://${host}/v2/`));
    const answer = await this.#sendUntilFinal(urls, { method: "GET", doing, mayLeave: true });
    const base = new URL(answer.asked.origin);
    const { status } = answer;
    if (status === 401) {
      const asked = answer.headers.get("www-authenticate") ?? "no WWW-Authenticate at all";
      this.#challenge = parseChallenge(asked);
      if (this.#challenge) return base;
      throw this.#strange(doing, `it requires an authentication scheme that kurun does not support (supported: Bearer, Basic): ${asked}`);
    }
    const isPage = /^text\/html\b/i.test(answer.headers.get("content-type") ?? "");
    if (isOk(answer) && !isPage) return base;
    if (status === 403) throw this.#error(doing, this.#failure(answer));
    const said = `${status} ${saidByRegistry(answer.text)}`.trim();
    if (isPassing(status)) throw this.#error(doing, { is: "unreachable", said });
    throw this.#strange(doing, `${answer.url} answered ${isOk(answer) ? "a web page" : said}: it is not a registry, or has no v2 API`);
  }

  async #authorization({ scopes, doing }: RegistryRequest): Promise<string | undefined> {
    const challenge = this.#challenge;
    const { credentials } = this.#options;
    if (!challenge) return undefined;
    if (challenge.is === "basic") return credentials && basic(credentials);
    const key = scopes.join(" ");
    const token = this.#tokens.get(key) ?? this.#fetchToken(challenge, scopes, doing);
    this.#tokens.set(key, token);
    return `Bearer ${await token}`;
  }

  /** Several requests may learn that one token has expired: only the first removes it. */
  async #forgetToken(scopes: readonly string[], authorization: string | undefined): Promise<void> {
    const key = scopes.join(" ");
    const kept = this.#tokens.get(key);
    const token = await kept?.catch(() => undefined);
    if (token !== undefined && authorization === `Bearer ${token}` && this.#tokens.get(key) === kept) this.#tokens.delete(key);
  }

  async #fetchToken(challenge: Extract<Challenge, { is: "bearer" }>, scopes: readonly string[], doing: string): Promise<string> {
    const { credentials } = this.#options;
    const { url, ...call } = tokenRequest(challenge, scopes, credentials);
    if (url.protocol !== "https:" && !isLoopback(url.host)) {
      throw this.#strange(doing, `it asks for credentials to be sent to ${url.origin} without TLS`);
    }
    // A redirect to another server would carry the credentials there, perhaps without TLS.
    const answer = await this.#sendUntilFinal([url], { ...call, doing, mayLeave: false });
    if (isOk(answer)) {
      const token = tokenIn(answer.text);
      if (token === undefined) throw this.#strange(doing, `${url.host} gave no token`);
      return token;
    }
    const { status, text } = answer;
    const said = `${url.host}: ${saidByRegistry(text) || status}`;
    const refused = [400, 401, 403].includes(status);
    throw this.#error(doing, refused ? { is: "unauthorized", credentials: credentials?.from, said } : { is: "answered", status, said });
  }

  /**
   * Retries a request as long as that may help.
   * @param urls tried in this order until one answers, in each attempt
   * @throws RegistryError if there is no answer
   */
  async #sendUntilFinal(urls: readonly URL[], request: SentRequest): Promise<RegistryAnswer> {
    for (let attempt = 0;; attempt++) {
      let answer: RegistryAnswer | NoAnswer = { said: "" };
      for (const url of urls) {
        answer = await this.#send(url, request);
        if (!("said" in answer) || speaksTls(answer)) break;
      }
      if (!("said" in answer)) {
        const pause = request.accept?.(answer.status) ? undefined : pauseAfter(answer, attempt);
        if (pause === undefined) return answer;
        await this.#options.pause(pause);
      } else {
        const pause = request.once || speaksTls(answer) ? undefined : PAUSES_MS[attempt];
        if (pause === undefined) throw this.#error(request.doing, { is: "unreachable", said: answer.said });
        await this.#options.pause(pause);
      }
    }
  }

  /**
   * Sends one request, through redirects: GET and HEAD follow all of them, other methods only 307 and 308, which keep the method (RFC 9110,
   * section 15.4). Credentials stay with the server that they are for.
   */
  async #send(url: URL, request: SentRequest): Promise<RegistryAnswer | NoAnswer> {
    const { method, doing, authorization } = request;
    let at = url;
    for (let redirects = 0;; redirects++) {
      if (at.protocol !== "https:" && !isLoopback(at.host)) {
        throw this.#strange(doing, `it redirects to ${at.origin} without TLS`);
      }
      const own = authorization !== undefined && at.origin === url.origin && { Authorization: authorization };
      const answer = await this.#fetch(at, { ...request, headers: { ...request.headers, ...own } });
      if ("said" in answer) return answer;
      const location = answer.headers.get("location");
      const next = location === null || answer.status < 300 || answer.status > 399 ? null : URL.parse(location, at);
      if (next === null) return { ...answer, asked: url };
      if (!request.mayLeave && next.origin !== url.origin) {
        throw this.#strange(doing, `${url.host} asks for credentials to be sent on to ${next.origin}`);
      }
      const keepsMethod = method === "GET" || method === "HEAD" || answer.status === 307 || answer.status === 308;
      if (!keepsMethod) throw this.#strange(doing, `it answered ${method} with ${answer.status}, a redirect to ${next.origin}`);
      if (redirects === MAX_REDIRECTS) throw this.#strange(doing, `it redirects more than ${MAX_REDIRECTS} times`);
      at = next;
    }
  }

  async #fetch(
    url: URL,
    { method, headers, body, timeoutMs = TIMEOUT_MS }: SentRequest,
  ): Promise<Omit<RegistryAnswer, "asked"> | NoAnswer> {
    const { signal, userAgent } = this.#options;
    signal.throwIfAborted();
    const limit = new AbortController();
    let taken = 0;
    let before = 0;
    const watch = setInterval(() => {
      if (taken === before) limit.abort();
      before = taken;
    }, timeoutMs);
    try {
      const response = await fetch(url, {
        method,
        headers: { ...headers, "User-Agent": userAgent },
        ...body && { body: body((bytes) => taken += bytes) },
        redirect: "manual",
        signal: AbortSignal.any([signal, limit.signal]),
        client: this.#http,
      });
      return { status: response.status, headers: response.headers, text: await textOf(response), url };
    } catch (error) {
      signal.throwIfAborted();
      return { said: limit.signal.aborted ? `no answer within ${timeoutMs / 1000} s` : reason(error) };
    } finally {
      clearInterval(watch);
    }
  }

  #failure({ status, text, headers }: RegistryAnswer): RegistryFailure {
    const from = this.#options.credentials?.from;
    const said = saidByRegistry(text);
    if (status === 401) return { is: "unauthorized", credentials: from, said };
    if (status === 403) return { is: "denied", credentials: from, said };
    const wait = retryAfterMs(headers);
    const patience = wait !== undefined && wait > MAX_RETRY_AFTER_MS ? `try again in ${Math.ceil(wait / 1000)} s` : "";
    return { is: "answered", status, said: [said, patience].filter(Boolean).join("; ") };
  }

  #strange(doing: string, said: string): RegistryError {
    return this.#error(doing, { is: "strange", said });
  }

  #error(doing: string, failure: RegistryFailure): RegistryError {
    return new RegistryError(this.registry, doing, failure);
  }
}

function isOk({ status }: RegistryAnswer): boolean {
  return status >= 200 && status < 300;
}

/** Whether the server speaks TLS but its certificate is refused: neither plain HTTP nor another attempt would help. */
function speaksTls({ said }: NoAnswer): boolean {
  return /certificate/i.test(said);
}

/** `localhost` and `127.0.0.1` with one port are one registry, which may name itself by either. */
function isSameServer(a: URL, b: URL): boolean {
  return a.origin === b.origin || a.protocol === b.protocol && a.port === b.port && isLoopback(a.host) && isLoopback(b.host);
}

/** Whether a status may be another one soon. */
function isPassing(status: number): boolean {
  return status >= 500 && status !== 501 || status === 429 || status === 408;
}

/** @returns milliseconds, or undefined if another attempt would not help */
function pauseAfter({ status, headers }: RegistryAnswer, attempt: number): number | undefined {
  const pause = PAUSES_MS[attempt];
  if (!isPassing(status) || pause === undefined) return undefined;
  const wait = retryAfterMs(headers) ?? pause;
  return wait <= MAX_RETRY_AFTER_MS ? wait : undefined;
}

/** Retry-After in milliseconds: seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterMs(headers: Headers): number | undefined {
  const value = headers.get("retry-after")?.trim() ?? "";
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** A broken body is only an error if it may hold what was asked for: an error page that is cut off is still an error page. */
async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length >= MAX_TEXT) break;
    }
  } catch (error) {
    if (response.ok) throw error;
  }
  return text;
}

/** Deno's fetch puts the address into its message; 2.9 has the reason in the cause. */
function reason(error: unknown): string {
  const { message, cause } = error as Error;
  const text = cause instanceof Error ? cause.message : message;
  return text.replace(/^error sending request for url \([^)]*\): /, "").replace(/^client error \(\w+\): /, "");
}
