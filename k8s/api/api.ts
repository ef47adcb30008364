/**
 * The Kubernetes API: requests, server-side apply and watches, over kept connections.
 *
 * @module
 */

import type { ClusterAccess, ConnectionOptions } from "./cluster_access.ts";
import { onStatus, statusError } from "./api_error.ts";
import { parseJson, yamlSafeJson } from "./exact_json.ts";
import { ConnectionError, connectionErrorKind } from "./connection_error.ts";
import { HttpConnection, HttpConnectionError, type HttpResponse } from "./http1.ts";
import { hostAndPort, unbracketed } from "./dial.ts";
import { IdleConnections } from "./idle_connections.ts";
import type { Live } from "./kubernetes_objects.ts";
import { RequestBounds } from "./request_bounds.ts";
import { sleep } from "./sleep.ts";
import { parseWarnings } from "./warning_header.ts";
import { type WatchEvent, watchEvents } from "./watch.ts";

/** The parameters of a query; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Options for a single request. */
export interface RequestOptions {
  readonly query?: Query;
  /** Sent as JSON, whatever {@linkcode RequestOptions.contentType} says. */
  readonly body?: unknown;
  /** @default {"application/json"} */
  readonly contentType?: string;
  /** The media types that the answer may have, all of them JSON. @default {"application/json"} */
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
  /** For the whole answer, in milliseconds; 0 means no timeout. @default {30_000, or the value of --request-timeout} */
  readonly timeoutMs?: number | undefined;
}

/** A successful answer. */
export interface ApiAnswer<T = unknown> {
  readonly status: number;
  /** The decoded JSON; undefined if there was none. */
  readonly body: T;
  /** The API server's clock, in whole seconds. */
  readonly date: Date | undefined;
  /** Warnings of the API server, such as a violated Pod Security level. */
  readonly warnings: readonly string[];
}

/** All objects of a collection, from all pages. */
export interface ApiList<T> {
  readonly items: T[];
  readonly date: Date | undefined;
}

/** Options of an {@linkcode Api}. */
export interface ApiOptions {
  readonly userAgent: string;
  /** Ends all requests that are under way, and refuses later ones. */
  readonly signal?: AbortSignal;
}

const FIELD_MANAGER = "kurun";
/** For a request without --request-timeout, in milliseconds. */
const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const PAGE_SIZE = 500;
/** Attempts for a request that the API server delays (429). */
const MAX_TRIES = 3;
/** A longer `Retry-After` is not honoured, in milliseconds: the error is more useful. */
const MAX_RETRY_AFTER_MS = 10_000;
/** The API server is asked to end a watch after this, in seconds; the caller starts another one. */
const WATCH_SECONDS = 30;
/** If the API server has not ended a watch this much later, in milliseconds, the network may be dead, and the watch is ended here. */
const WATCH_LATE_MS = 3_000;

/** A client of one API server for one user. */
export class Api {
  readonly access: ClusterAccess;
  readonly #options: ApiOptions;
  readonly #address: string;
  readonly #closed = new AbortController();
  readonly #idle = new IdleConnections();
  /** Connections whose requests wait for an answer. */
  readonly #asked = new Set<HttpConnection>();
  /** How often all open connections were distrusted. */
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
   * @throws {ApiError} if the API server refuses
   * @throws {ConnectionError} if there is no answer
   * @throws {CredentialError} if the user's credentials cannot be obtained
   */
  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<ApiAnswer<T>> {
    const bounds = this.#bounds(options.signal);
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

  /** Sends a GET request. @throws as {@linkcode Api.request} does */
  get<T>(path: string, options: RequestOptions = {}): Promise<ApiAnswer<T>> {
    return this.request<T>("GET", path, options);
  }

  /** Reads an object. @returns undefined if it does not exist (404) @throws as {@linkcode Api.request} does */
  find<T>(path: string, options: RequestOptions = {}): Promise<ApiAnswer<T> | undefined> {
    return this.get<T>(path, options).catch(onStatus([404], undefined));
  }

  /** Reads all objects of a collection, page by page. @throws as {@linkcode Api.request} does */
  async list<T = Live>(path: string, options: RequestOptions = {}): Promise<ApiList<T>> {
    const items: T[] = [];
    let next: string | undefined;
    while (true) {
      const query = { limit: PAGE_SIZE, ...options.query, continue: next };
      const { body, date } = await this.get<{ items?: readonly T[] | null; metadata?: { continue?: string } }>(path, { ...options, query });
      items.push(...body.items ?? []);
      next = body.metadata?.continue || undefined;
      if (next === undefined) return { items, date };
    }
  }

  /** Creates an object (POST to its collection). @throws as {@linkcode Api.request} does */
  create<T>(path: string, body: unknown, options: RequestOptions = {}): Promise<ApiAnswer<T>> {
    return this.request<T>("POST", path, { ...options, body, query: { fieldManager: FIELD_MANAGER, ...options.query } });
  }

  /** Changes an object with a JSON merge patch (RFC 7386). @throws as {@linkcode Api.request} does */
  mergePatch<T>(path: string, body: unknown, options: RequestOptions = {}): Promise<ApiAnswer<T>> {
    return this.request<T>("PATCH", path, {
      contentType: "application/merge-patch+json",
      ...options,
      body,
      query: { fieldManager: FIELD_MANAGER, ...options.query },
    });
  }

  /**
   * Creates or changes an object with server-side apply.
   *
   * @param options.force takes fields over from another manager, instead of a conflict (409)
   * @throws as {@linkcode Api.request} does
   */
  apply<T>(
    path: string,
    body: unknown,
    options: RequestOptions & { readonly fieldManager?: string; readonly force?: boolean } = {},
  ): Promise<ApiAnswer<T>> {
    const { fieldManager = FIELD_MANAGER, force = false, ...rest } = options;
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
   * The propagation policy is always sent: a Job that is deleted without one orphans everything it owns.
   *
   * @param options.uid deletes only the object with this uid, otherwise 409
   * @param options.resourceVersion deletes the object only if nobody has changed it since, otherwise 409
   * @param options.dryRun deletes nothing; sent in the body, because the API server ignores the query if there is a body
   * @throws as {@linkcode Api.request} does
   */
  delete<T>(
    path: string,
    options: RequestOptions & {
      readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
      readonly uid?: string | undefined;
      readonly resourceVersion?: string | undefined;
      readonly dryRun?: boolean;
    } = {},
  ): Promise<ApiAnswer<T>> {
    const { propagationPolicy = "Background", uid, resourceVersion, dryRun, ...rest } = options;
    const preconditions = uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
    // JSON leaves out what is undefined.
    const fields = { propagationPolicy, preconditions, dryRun: dryRun ? ["All"] : undefined };
    return this.request<T>("DELETE", path, { ...rest, body: { apiVersion: "v1", kind: "DeleteOptions", ...fields } });
  }

  /**
   * Watches a collection. The watch ends after a while and the caller starts another one, because a watch over a dead network waits forever.
   *
   * @param options.seconds how long the watch lasts
   * @throws {ConnectionError} if the connection breaks, does not end in time (`timeout`), or the signal is aborted (`aborted`)
   * @throws {ApiError} if the API server refuses the watch
   */
  async *watch<T>(
    path: string,
    options: { readonly query?: Query; readonly signal?: AbortSignal; readonly seconds?: number } = {},
  ): AsyncGenerator<WatchEvent<T>> {
    const { seconds = WATCH_SECONDS } = options;
    const bounds = this.#bounds(options.signal);
    try {
      const query = { watch: true, timeoutSeconds: seconds, ...options.query };
      const { response, keep } = await this.#send("GET", path, { query }, bounds);
      bounds.startTimeout(seconds * 1000 + WATCH_LATE_MS);
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
   * Stops using all open connections, because the network may have changed. Requests that wait for an answer are sent again on a new
   * connection, except for a POST, which fails.
   */
  distrustConnections(): void {
    this.#distrusted++;
    this.#idle.close();
    for (const connection of this.#asked) connection.destroy(new HttpConnectionError("the network may have changed", { unanswered: true }));
  }

  /** Closes all connections and ends all requests; later ones are refused. */
  close(): void {
    this.#closed.abort();
    this.#idle.close();
  }

  #bounds(signal: AbortSignal | undefined): RequestBounds {
    return new RequestBounds([signal, this.#options.signal, this.#closed.signal], this.#address);
  }

  /** Retries until the answer is final. @throws as {@linkcode Api.request} does */
  async #send(method: string, path: string, options: RequestOptions, bounds: RequestBounds): Promise<Exchange> {
    let refreshed = false;
    let resent = false;
    let tries = 1;
    for (let first = true;; first = false) {
      bounds.signal.throwIfAborted();
      // Not counted in the timeout: an exec plugin may wait for the user to log in.
      const identity = await bounds.race(this.access.connection());
      if (first) bounds.startTimeout(options.timeoutMs ?? this.access.requestTimeoutMs ?? DEFAULT_TIMEOUT_MS);
      const connection = await this.#open(identity, method, bounds);
      const wasUsed = connection.used;
      const distrusted = this.#distrusted;
      let response: HttpResponse;
      let text: string;
      const stopWatching = bounds.onStop((error) => connection.destroy(error));
      const keep = () => {
        stopWatching();
        if (this.#closed.signal.aborted) connection.destroy();
        else this.#idle.keep(connection, identity.identity);
      };
      try {
        this.#asked.add(connection);
        response = await connection.send(this.#httpRequest(method, path, options, identity)).finally(() => this.#asked.delete(connection));
        if (response.status < 300) return { response, connection, keep };
        text = await this.#readText(response, connection, bounds);
      } catch (error) {
        connection.destroy();
        const unanswered = error instanceof HttpConnectionError && error.unanswered;
        if (unanswered && (wasUsed || distrusted !== this.#distrusted) && !resent && method !== "POST" && !bounds.signal.aborted) {
          // It was closed while it was idle, or by distrustConnections(): the request was most likely never seen, and may be sent twice.
          resent = true;
          continue;
        }
        throw this.#connectionError(error, bounds);
      }
      keep();
      if (response.status === 401 && !refreshed) {
        refreshed = true;
        this.access.refreshCredentials();
        continue;
      }
      const waitMs = retryAfterMs(response);
      if (response.status === 429 && waitMs !== undefined && waitMs <= MAX_RETRY_AFTER_MS && tries < MAX_TRIES) {
        tries++;
        await sleep(waitMs, bounds.signal);
        continue;
      }
      const error = statusError(response.status, text, { request: `${method} ${path}`, date: serverDate(response), repeated: resent });
      if (error.status === 401) error.hint = this.access.expiredCredential?.();
      throw error;
    }
  }

  #httpRequest(method: string, path: string, options: RequestOptions, identity: ConnectionOptions) {
    const { server } = this.access;
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) query.set(key, String(value));
    }
    const origin = identity.forwarding ? server.origin : "";
    const target = origin + server.pathname.replace(/\/$/, "") + safePath(path) + (query.size > 0 ? `?${query}` : "");
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
        ...identity.forwarding,
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
      const detail = `the answer is not from a Kubernetes API server: ${text.trim().slice(0, 100)}`;
      throw new ConnectionError("protocol", { address: this.#address, detail, cause });
    }
  }

  #connectionError(error: unknown, bounds: RequestBounds): unknown {
    if (bounds.signal.aborted) return bounds.signal.reason;
    if (error instanceof SyntaxError) {
      return new ConnectionError("protocol", { address: this.#address, detail: error.message, cause: error });
    }
    if (!(error instanceof HttpConnectionError)) return error;
    const kind = error.malformed ? "protocol" : error.cause === undefined ? "reset" : connectionErrorKind(error.cause);
    return new ConnectionError(kind, { address: this.#address, detail: error.message, cause: error });
  }
}

/**
 * A path without characters that would end it. A name in it may come from the cluster (an annotation, an owner reference), and a line break
 * there would begin another request, with the user's rights.
 */
function safePath(path: string): string {
  return path.toWellFormed().replace(/[^\x21-\x7e]|[?#]/gu, encodeURIComponent);
}

interface Exchange {
  readonly response: HttpResponse;
  readonly connection: HttpConnection;
  /** To be called once the body has been read to its end. */
  readonly keep: () => void;
}

function serverDate(response: HttpResponse): Date | undefined {
  const time = Date.parse(response.headers.get("date")?.[0] ?? "");
  return Number.isNaN(time) ? undefined : new Date(time);
}

/** A `Retry-After` of whole seconds, in milliseconds; the API server sends no dates. */
function retryAfterMs(response: HttpResponse): number | undefined {
  const value = response.headers.get("retry-after")?.[0];
  return value !== undefined && /^\d+$/.test(value) ? Number(value) * 1000 : undefined;
}
