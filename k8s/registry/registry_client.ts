/**
 * Speaks to a registry (OCI distribution-spec 1.1): requests with whatever it wants to be shown, tried again where that helps.
 *
 * @module
 */
import { basic, type Challenge, parseChallenge, tokenRequest } from "./registry_auth.ts";
import type { RegistryCredentials } from "./registry_credentials.ts";
import { RegistryError, type RegistryFailure, saidByRegistry } from "./registry_error.ts";
import { isLoopback, registryHost } from "./registry_repository.ts";

/** What a client needs. */
export interface RegistryClientOptions {
  /** As images' names have it. */
  readonly registry: string;
  readonly credentials: RegistryCredentials | undefined;
  /** PEM; certificates of authorities to trust beside the usual ones. */
  readonly authorities?: readonly string[];
  readonly userAgent: string;
  readonly signal: AbortSignal;
  /** Waits between two tries, in milliseconds. */
  pause(ms: number): Promise<void>;
}

/** One request. */
export interface RegistryRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  /** From the registry's root, or an address that it gave. */
  readonly target: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each try. */
  readonly body?: () => BodyInit;
  /** What the token is for. */
  readonly scopes: readonly string[];
  /** For errors, such as `push me/app`. */
  readonly doing: string;
  /** Answers beside 2xx that are no error, such as 404. */
  readonly accept?: readonly number[];
  /** Not sent again where it breaks. */
  readonly once?: boolean;
  /** Counts what of the body has been taken: an upload may last as long as some of it is, and is given up where nothing is for 60 s. */
  readonly taken?: () => number;
}

/** Between tries; then it is given up. In milliseconds. */
const PAUSES_MS = [200, 800, 2_500];
/** A longer `Retry-After` is not obeyed: the error is more use. */
const MAX_RETRY_AFTER_MS = 10_000;
/** For an answer to begin. */
const TIMEOUT_MS = 30_000;
/** For some more of an upload to be taken. */
const IDLE_MS = 60_000;

/** A registry. */
export class RegistryClient implements Disposable {
  readonly registry: string;
  readonly #options: RegistryClientOptions;
  readonly #http: Deno.HttpClient;
  readonly #tokens = new Map<string, Promise<string>>();
  #base: Promise<URL> | undefined;
  #challenge: Challenge | undefined;

  constructor(options: RegistryClientOptions) {
    this.registry = options.registry;
    this.#options = options;
    this.#http = Deno.createHttpClient({ caCerts: [...options.authorities ?? []] });
  }

  [Symbol.dispose](): void {
    this.#http.close();
  }

  /**
   * Sends a request and reads its answer; one that broke, or was answered with 5xx or 429, is sent again.
   *
   * @throws RegistryError, or the signal's reason
   */
  async request(request: RegistryRequest): Promise<{ status: number; headers: Headers; text: string }> {
    const base = await (this.#base ??= this.#findBase());
    const url = new URL(request.target, base);
    let asked = false;
    for (let attempt = 0;; attempt++) {
      const response = await this.#try(url, request, base);
      if (response instanceof Response) {
        const text = await this.#text(response, request.doing);
        if (response.ok || request.accept?.includes(response.status)) return { status: response.status, headers: response.headers, text };
        if (response.status === 401 && !asked) {
          // The token may have run out, or the challenge be for another repository.
          this.#challenge = parseChallenge(response.headers.get("www-authenticate") ?? "") ?? this.#challenge;
          this.#tokens.delete(request.scopes.join(" "));
          asked = true;
          attempt--;
          continue;
        }
        const pause = attempt < PAUSES_MS.length ? pauseAfter(response, attempt) : undefined;
        if (pause === undefined) {
          throw this.#error(request.doing, answered(response.status, saidByRegistry(text), this.#options.credentials));
        }
        await this.#pause(pause);
      } else {
        const pause = request.once ? undefined : PAUSES_MS[attempt];
        if (pause === undefined) throw this.#error(request.doing, { is: "unreachable", said: response.said });
        await this.#pause(pause);
      }
    }
  }

  async #try(url: URL, request: RegistryRequest, base: URL): Promise<Response | { said: string }> {
    // What a registry stores elsewhere has its own rights in its address.
    const authorization = url.origin === base.origin ? await this.#authorization(request) : undefined;
    if (url.protocol !== "https:" && !isLoopback(url.host)) {
      throw this.#error(request.doing, { is: "strange", said: `it leads to ${url.origin}, without TLS` });
    }
    return await this.#fetch(url, {
      method: request.method,
      headers: { ...request.headers, ...authorization !== undefined && { Authorization: authorization } },
      ...request.body && { body: request.body() },
      // An upload's body cannot be sent twice, nor is one ever redirected.
      redirect: request.method === "GET" || request.method === "HEAD" ? "follow" : "manual",
    }, request.taken);
  }

  /** Asks for nothing, to learn what the registry wants to be shown, and whether one on this machine has TLS. */
  async #findBase(): Promise<URL> {
    const host = registryHost(this.registry);
    const doing = "reach it";
    let said = "";
    for (let attempt = 0;; attempt++) {
      for (const scheme of isLoopback(host) ? ["https", "http"] : ["https"]) {
        const base = new URL(`${scheme}://${host}`);
        const response = await this.#fetch(new URL("/v2/", base), { method: "GET" });
        if (!(response instanceof Response)) {
          said = response.said;
          continue;
        }
        const text = await this.#text(response, doing);
        if (response.status === 401) {
          this.#challenge = parseChallenge(response.headers.get("www-authenticate") ?? "");
          if (this.#challenge) return base;
          throw this.#error(doing, {
            is: "strange",
            said: `it asks for credentials in a way that is not known: ${response.headers.get("www-authenticate")}`,
          });
        }
        if (response.ok) return base;
        said = `${response.status} ${saidByRegistry(text)}`;
        if (response.status < 500 && response.status !== 429 && scheme === "https") {
          throw this.#error(doing, { is: "strange", said: `it answers ${base}v2/ with ${said}: is it a registry?` });
        }
      }
      const pause = PAUSES_MS[attempt];
      if (pause === undefined) throw this.#error(doing, { is: "unreachable", said });
      await this.#pause(pause);
    }
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

  async #fetchToken(challenge: Extract<Challenge, { is: "bearer" }>, scopes: readonly string[], doing: string): Promise<string> {
    const { credentials } = this.#options;
    if (!URL.canParse(challenge.realm)) throw this.#error(doing, { is: "strange", said: `its tokens come from "${challenge.realm}"` });
    const { url, method, headers, body } = tokenRequest(challenge, scopes, credentials);
    if (url.protocol !== "https:" && !isLoopback(url.host)) {
      throw this.#error(doing, { is: "strange", said: `it wants credentials sent to ${url.origin}, without TLS` });
    }
    for (let attempt = 0;; attempt++) {
      // A redirect would carry the identity token in the body to any host, without TLS too.
      const response = await this.#fetch(url, { method, headers, ...body && { body }, redirect: "manual" });
      if (response instanceof Response) {
        const location = response.headers.get("location");
        if (location !== null && response.status >= 300 && response.status < 400) {
          await response.body?.cancel();
          throw this.#error(doing, { is: "strange", said: `${url.host} wants credentials sent on to ${new URL(location, url).origin}` });
        }
        const text = await this.#text(response, doing);
        if (response.ok) return this.#tokenIn(text, url, doing);
        const pause = attempt < PAUSES_MS.length ? pauseAfter(response, attempt) : undefined;
        const said = `${url.host}: ${saidByRegistry(text)}`;
        if (pause === undefined) {
          const known = [400, 401, 403].includes(response.status);
          throw this.#error(
            doing,
            known ? { is: "unauthorized", credentials: credentials?.from, said } : { is: "answered", status: response.status, said },
          );
        }
        await this.#pause(pause);
      } else {
        const pause = PAUSES_MS[attempt];
        if (pause === undefined) throw this.#error(doing, { is: "unreachable", said: response.said });
        await this.#pause(pause);
      }
    }
  }

  #tokenIn(text: string, url: URL, doing: string): string {
    try {
      const { token, access_token } = JSON.parse(text) as { token?: string; access_token?: string };
      const found = token || access_token;
      if (found) return found;
    } catch {
      // The text may be a token after all, so it is not shown.
    }
    throw this.#error(doing, { is: "strange", said: `${url.host} gave no token` });
  }

  async #fetch(url: URL, init: RequestInit, taken?: () => number): Promise<Response | { said: string }> {
    const { signal, userAgent } = this.#options;
    signal.throwIfAborted();
    const limit = new AbortController();
    const limitMs = taken ? IDLE_MS : TIMEOUT_MS;
    let before = 0;
    const watch = setInterval(() => {
      const now = taken?.() ?? 0;
      if (now === before) limit.abort();
      before = now;
    }, limitMs);
    try {
      return await fetch(url, {
        ...init,
        headers: { ...init.headers as Record<string, string>, "User-Agent": userAgent },
        signal: AbortSignal.any([signal, limit.signal]),
        client: this.#http,
      });
    } catch (error) {
      signal.throwIfAborted();
      return { said: limit.signal.aborted ? `no answer within ${limitMs / 1000} s` : reason(error) };
    } finally {
      clearInterval(watch);
    }
  }

  async #text(response: Response, doing: string): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      this.#options.signal.throwIfAborted();
      throw this.#error(doing, { is: "unreachable", said: reason(error) });
    }
  }

  async #pause(ms: number): Promise<void> {
    await this.#options.pause(ms);
    this.#options.signal.throwIfAborted();
  }

  #error(doing: string, failure: RegistryFailure): RegistryError {
    return new RegistryError(this.registry, doing, failure);
  }
}

/** @returns milliseconds, or undefined where asking again would not help */
function pauseAfter(response: Response, attempt: number): number | undefined {
  if (response.status < 500 && response.status !== 429) return undefined;
  const seconds = Number(response.headers.get("retry-after") ?? NaN);
  if (Number.isNaN(seconds)) return PAUSES_MS[attempt];
  return seconds * 1000 <= MAX_RETRY_AFTER_MS ? seconds * 1000 : undefined;
}

function answered(status: number, said: string, credentials: RegistryCredentials | undefined): RegistryFailure {
  if (status === 401) return { is: "unauthorized", credentials: credentials?.from, said };
  if (status === 403) return { is: "denied", credentials: credentials?.from, said };
  return { is: "answered", status, said };
}

/** Deno's fetch says where in a sentence of its own; 2.9 has it in the cause. */
function reason(error: unknown): string {
  const { message, cause } = error as Error;
  const text = cause instanceof Error ? cause.message : message;
  return text.replace(/^error sending request for url \([^)]*\): /, "").replace(/^client error \(\w+\): /, "");
}
