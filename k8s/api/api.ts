/**
 * The Kubernetes API: requests, server-side apply and watches, over kept connections.
 *
 * @module
 */

import type { ClusterAccess, ConnectionOptions } from "./cluster_access.ts";
import { ApiError, statusError } from "./api_error.ts";
import { parseJson, yamlSafeJson } from "./exact_json.ts";
import { ConnectionError, connectionErrorKind } from "./connection_error.ts";
import { HttpConnection, HttpConnectionError, type HttpResponse } from "./http1.ts";
import { hostAndPort, unbracketed } from "./dial.ts";
import { IdleConnections } from "./idle_connections.ts";
import type { Live } from "./kubernetes_objects.ts";
import { RequestBounds } from "./request_bounds.ts";
import { parseWarnings } from "./warning_header.ts";
import { type WatchEvent, watchEvents } from "./watch.ts";

/** A query's parts; what is undefined is left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** What holds for one request. */
export interface RequestOptions {
  readonly query?: Query;
  /** Sent as JSON, whatever {@linkcode RequestOptions.contentType} calls it. */
  readonly body?: unknown;
  /** @default {"application/json"} */
  readonly contentType?: string;
  /** The media types that the answer may have, each JSON. @default {"application/json"} */
  readonly accept?: string;
  readonly signal?: AbortSignal;
  /** For the whole answer, in milliseconds; 0 is none. @default {30_000, or what the user's flag says} */
  readonly timeoutMs?: number;
}

/** An answer that says yes. */
export interface ApiAnswer<T = unknown> {
  readonly status: number;
  /** The decoded JSON; undefined where there was none. */
  readonly body: T;
  /** The API server's clock, in whole seconds. */
  readonly date: Date | undefined;
  /** What the API server warns of, such as a violated Pod Security level. */
  readonly warnings: readonly string[];
}

/** The objects of a kind, from all pages. */
export interface ApiList<T> {
  readonly items: T[];
  /** Where a watch goes on from. */
  readonly resourceVersion: string;
  readonly date: Date | undefined;
}

/** How an {@linkcode Api} behaves. */
export interface ApiOptions {
  readonly userAgent: string;
  /** Ends everything that is under way, and refuses what comes later. */
  readonly signal?: AbortSignal;
  /** For a request that says nothing else, in milliseconds; 0 is none. */
  readonly requestTimeoutMs?: number;
  /** @default {"kurun"} */
  readonly fieldManager?: string;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const PAGE_SIZE = 500;
/** How often a request is tried that the API server puts off (429). */
const MAX_TRIES = 3;
/** Longer than this a `Retry-After` is not obeyed, in milliseconds: the error is more use. */
const MAX_RETRY_AFTER_MS = 10_000;
/** The API server is asked to end a watch after this, in seconds; the caller begins anew. */
const WATCH_SECONDS = 30;
/** And ended here where it has not so much later, in milliseconds: a network that died says nothing of it. */
const WATCH_LATE_MS = 3_000;
/** Speaks to one API server as one user. */
export class Api {
  readonly access: ClusterAccess;
  readonly #options: ApiOptions;
  readonly #address: string;
  readonly #closed = new AbortController();
  readonly #idle = new IdleConnections();
  /** Connections whose requests wait for their answers. */
  readonly #asked = new Set<HttpConnection>();
  /** How often the connections that stood then were distrusted. */
  #distrusted = 0;

  constructor(access: ClusterAccess, options: ApiOptions) {
    this.access = access;
    this.#options = options;
    const { hostname, port, protocol } = access.server;
    this.#address = hostAndPort(unbracketed(hostname), Number(port || (protocol === "http:" ? 80 : 443)));
  }

  /**
   * Sends one request and reads its whole answer.
   *
   * @param path from the API server's root, such as `/api/v1/namespaces`
   * @throws {ApiError} when the answer says no
   * @throws {ConnectionError} when none comes
   * @throws {CredentialError} when the user's credentials cannot be had
   */
  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<ApiAnswer<T>> {
    const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs ?? this.access.requestTimeoutMs ?? DEFAULT_TIMEOUT_MS;
    const bounds = this.#bounds(options.signal, timeoutMs);
    try {
      const { response, connection, keep } = await this.#send(method, path, options, bounds);
      const text = await this.#readText(response, connection, bounds);
      keep();
      return {
        status: response.status,
        body: this.#decode(text) as T,
        date: serverDate(response),
        warnings: parseWarnings(response.headers.get("warning") ?? []),
      };
    } finally {
      bounds.end();
    }
  }

  /** Reads an object, or anything else. @throws as {@linkcode Api.request} does */
  get<T>(path: string, options: RequestOptions = {}): Promise<ApiAnswer<T>> {
    return this.request<T>("GET", path, options);
  }

  /** Reads an object. @returns undefined if it does not exist (404) @throws as {@linkcode Api.request} does */
  async find<T>(path: string, options: RequestOptions = {}): Promise<ApiAnswer<T> | undefined> {
    try {
      return await this.get<T>(path, options);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Reads all objects of a kind, page by page. @throws as {@linkcode Api.request} does */
  async list<T = Live>(path: string, options: RequestOptions = {}): Promise<ApiList<T>> {
    const items: T[] = [];
    let next: string | undefined;
    do {
      const query = { limit: PAGE_SIZE, ...options.query, continue: next };
      const { body, date } = await this.get<Page<T>>(path, { ...options, query });
      items.push(...body.items ?? []);
      next = body.metadata?.continue || undefined;
      if (next === undefined) return { items, resourceVersion: body.metadata?.resourceVersion ?? "", date };
    } while (true);
  }

  /** Creates an object (POST to its collection). @throws as {@linkcode Api.request} does */
  create<T>(path: string, body: unknown, options: RequestOptions = {}): Promise<ApiAnswer<T>> {
    return this.request<T>("POST", path, { ...options, body, query: { fieldManager: this.#fieldManager, ...options.query } });
  }

  /** Changes an object by a JSON merge patch (RFC 7386). @throws as {@linkcode Api.request} does */
  mergePatch<T>(path: string, body: unknown, options: RequestOptions = {}): Promise<ApiAnswer<T>> {
    return this.request<T>("PATCH", path, {
      contentType: "application/merge-patch+json",
      ...options,
      body,
      query: { fieldManager: this.#fieldManager, ...options.query },
    });
  }

  /**
   * Creates or changes an object by server-side apply.
   *
   * @param options.force takes over fields that another manager holds, instead of a conflict (409)
   * @throws as {@linkcode Api.request} does
   */
  apply<T>(
    path: string,
    body: unknown,
    options: RequestOptions & { readonly fieldManager?: string; readonly force?: boolean } = {},
  ): Promise<ApiAnswer<T>> {
    const { fieldManager = this.#fieldManager, force = false, ...rest } = options;
    return this.request<T>("PATCH", path, {
      ...rest,
      contentType: "application/apply-patch+yaml",
      body,
      query: { fieldManager, force: force ? true : undefined, ...rest.query },
    });
  }

  /**
   * Deletes an object.
   *
   * The propagation is said always: a Job that is deleted without one orphans all that it owns.
   *
   * @param options.uid deletes only the object with this uid, else 409
   * @param options.resourceVersion deletes it only where nobody has changed it since, else 409
   * @param options.dryRun deletes nothing; said in the body, since beside a body the query is not looked at
   * @throws as {@linkcode Api.request} does
   */
  delete<T>(
    path: string,
    options: RequestOptions & {
      readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
      readonly uid?: string;
      readonly resourceVersion?: string;
      readonly gracePeriodSeconds?: number;
      readonly dryRun?: boolean;
    } = {},
  ): Promise<ApiAnswer<T>> {
    const { propagationPolicy = "Background", uid, resourceVersion, gracePeriodSeconds, dryRun = false, ...rest } = options;
    const preconditions = { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    return this.request<T>("DELETE", path, {
      ...rest,
      body: {
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy,
        ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }),
        ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
        ...(dryRun ? { dryRun: ["All"] } : {}),
      },
    });
  }

  /**
   * Watches a collection. Ends after a while: the caller starts anew, since a watch of a network that died waits for ever.
   *
   * @param options.seconds how long it goes on
   * @throws {ConnectionError} when the connection breaks, does not end in time (`timeout`), or the signal ends it (`aborted`)
   * @throws {ApiError} when the watch is refused
   */
  async *watch<T>(
    path: string,
    options: { readonly query?: Query; readonly signal?: AbortSignal; readonly seconds?: number } = {},
  ): AsyncGenerator<WatchEvent<T>> {
    const { seconds = WATCH_SECONDS } = options;
    const bounds = this.#bounds(options.signal, this.#options.requestTimeoutMs ?? DEFAULT_TIMEOUT_MS);
    try {
      const query = { watch: true, timeoutSeconds: seconds, ...options.query };
      const { response, keep } = await this.#send("GET", path, { query }, bounds);
      bounds.restartTimeout(seconds * 1000 + WATCH_LATE_MS);
      try {
        yield* watchEvents<T>(response.body);
        keep();
      } catch (error) {
        throw this.#connectionError(error, bounds);
      }
    } finally {
      bounds.end();
    }
  }

  /**
   * The network may be another one by now: no connection that stands is used again. What waits for its answer is asked once more on a new
   * one, unless it is a POST, which breaks.
   */
  distrustConnections(): void {
    this.#distrusted++;
    this.#idle.close();
    for (const connection of this.#asked) connection.destroy(new HttpConnectionError("the network may have changed", { unanswered: true }));
  }

  /** Closes all connections and ends what is under way; what comes later is refused. */
  close(): void {
    this.#closed.abort();
    this.#idle.close();
  }

  get #fieldManager(): string {
    return this.#options.fieldManager ?? "kurun";
  }

  #bounds(signal: AbortSignal | undefined, timeoutMs: number): RequestBounds {
    return new RequestBounds([signal, this.#options.signal, this.#closed.signal], timeoutMs, this.#address);
  }

  /** Sends until there is an answer that is neither a no nor to be asked again. */
  async #send(method: string, path: string, options: RequestOptions, bounds: RequestBounds): Promise<Exchange> {
    const name = `${method} ${path}`;
    let tries = 1;
    let refreshed = false;
    let resent = false;
    while (true) {
      bounds.throwIfOver();
      // Its own time is not counted: an exec plugin may have the user log in first.
      const identity = await bounds.race(this.access.connection());
      bounds.startTimeout();
      const connection = await this.#open(identity, method, bounds);
      const wasUsed = connection.used;
      const distrusted = this.#distrusted;
      let response: HttpResponse;
      let text: string;
      const stopWatching = bounds.onStop((error) => connection.destroy(error));
      try {
        this.#asked.add(connection);
        response = await connection.send(this.#httpRequest(method, path, options, identity)).finally(() => this.#asked.delete(connection));
        if (response.status < 300) {
          const keep = () => {
            stopWatching();
            this.#keep(connection, identity.identity);
          };
          return { response, connection, keep };
        }
        text = await this.#readText(response, connection, bounds);
      } catch (error) {
        connection.destroy();
        const unanswered = error instanceof HttpConnectionError && error.unanswered;
        if (unanswered && (wasUsed || distrusted !== this.#distrusted) && !resent && method !== "POST" && !bounds.over) {
          // It was closed while it waited, or by us: the request was most likely never seen, and may be made twice.
          resent = true;
          continue;
        }
        throw this.#connectionError(error, bounds);
      }
      stopWatching();
      this.#keep(connection, identity.identity);
      if (response.status === 401 && !refreshed) {
        refreshed = true;
        this.access.refreshCredentials();
        continue;
      }
      const waitMs = retryAfterMs(response);
      if (response.status === 429 && waitMs !== undefined && waitMs <= MAX_RETRY_AFTER_MS && tries < MAX_TRIES) {
        tries++;
        await bounds.sleep(waitMs);
        continue;
      }
      throw statusError(response.status, text, { request: name, date: serverDate(response), repeated: resent });
    }
  }

  #httpRequest(method: string, path: string, options: RequestOptions, identity: ConnectionOptions) {
    const { server } = this.access;
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) query.set(key, String(value));
    }
    const target = server.pathname.replace(/\/$/, "") + path + (query.size > 0 ? `?${query}` : "");
    const body = options.body === undefined ? undefined : new TextEncoder().encode(yamlSafeJson(options.body));
    return {
      method,
      target,
      headers: {
        Host: server.host,
        "User-Agent": this.#options.userAgent,
        Accept: options.accept ?? "application/json",
        ...(body === undefined ? {} : { "Content-Type": options.contentType ?? "application/json" }),
        ...identity.headers,
      },
      body,
    };
  }

  async #open(identity: ConnectionOptions, method: string, bounds: RequestBounds): Promise<HttpConnection> {
    const idle = this.#idle.take(identity.identity, method);
    if (idle) return idle;
    try {
      return new HttpConnection(await identity.dial({ signal: bounds.signal }));
    } catch (error) {
      throw this.#connectionError(error, bounds);
    }
  }

  #keep(connection: HttpConnection, identity: string): void {
    if (this.#closed.signal.aborted) connection.destroy();
    else this.#idle.keep(connection, identity);
  }

  async #readText(response: HttpResponse, connection: HttpConnection, bounds: RequestBounds): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    let size = 0;
    try {
      for await (const chunk of response.body) {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) {
          throw new HttpConnectionError(`the answer is longer than ${MAX_ANSWER_BYTES / 1024 / 1024} MiB`, { malformed: true });
        }
        text += decoder.decode(chunk, { stream: true });
      }
    } catch (error) {
      connection.destroy();
      throw this.#connectionError(error, bounds);
    }
    return text + decoder.decode();
  }

  #decode(text: string): unknown {
    if (text.trim() === "") return undefined;
    try {
      return parseJson(text);
    } catch (cause) {
      const detail = `what answers is no Kubernetes API: ${text.trim().slice(0, 100)}`;
      throw new ConnectionError("protocol", { address: this.#address, detail, cause });
    }
  }

  #connectionError(error: unknown, bounds: RequestBounds): unknown {
    if (bounds.over) return bounds.signal.reason;
    if (error instanceof SyntaxError) {
      return new ConnectionError("protocol", { address: this.#address, detail: error.message, cause: error });
    }
    if (!(error instanceof HttpConnectionError)) return error;
    const kind = error.malformed ? "protocol" : error.cause === undefined ? "reset" : connectionErrorKind(error.cause);
    return new ConnectionError(kind, { address: this.#address, detail: error.message, cause: error });
  }
}

/** One page of a list. */
interface Page<T> {
  readonly items?: readonly T[] | null;
  readonly metadata?: { readonly continue?: string; readonly resourceVersion?: string };
}

interface Exchange {
  readonly response: HttpResponse;
  readonly connection: HttpConnection;
  /** To be called when the body was read to its end. */
  readonly keep: () => void;
}

function serverDate(response: HttpResponse): Date | undefined {
  const time = Date.parse(response.headers.get("date")?.[0] ?? "");
  return Number.isNaN(time) ? undefined : new Date(time);
}

/** A `Retry-After` of whole seconds, in milliseconds; the API server gives no dates. */
function retryAfterMs(response: HttpResponse): number | undefined {
  const value = response.headers.get("retry-after")?.[0];
  return value !== undefined && /^\d+$/.test(value) ? Number(value) * 1000 : undefined;
}
