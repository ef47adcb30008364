import { statusError } from "./api_error.ts";
import { type ClusterAccess, type ConnectionOptions, targetAt } from "./cluster_access.ts";
import { ConnectionError, connectionErrorKind } from "./connection_error.ts";
import { hostAndPort, unbracketed } from "./dial_route.ts";
import { yamlSafeJson } from "./exact_json.ts";
import { HttpConnection, HttpConnectionError, type HttpResponse, IdleConnections } from "./http1.ts";
import { sleep } from "./sleep.ts";

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

/** A successful answer that was read to its end. */
export interface ReadAnswer extends Pick<HttpResponse, "headers"> {
  /** The API server's clock, in whole seconds. */
  readonly date: Date | undefined;
  readonly text: string;
}

/** Options of a {@linkcode RequestSender}. */
export interface SenderOptions {
  readonly userAgent: string;
  /** Ends all requests that are under way, and refuses later ones. */
  readonly signal?: AbortSignal;
}

/** For a request without --request-timeout, in milliseconds. */
const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Attempts for a request that the API server delays (429). */
const MAX_TRIES = 3;
/** A longer `Retry-After` is not honored, in milliseconds: the error is more useful. */
const MAX_RETRY_AFTER_MS = 10_000;

/** Sends the requests of one user to one API server over kept-alive connections, and repeats those that may be repeated until the answer is final. */
export class RequestSender {
  readonly access: ClusterAccess;
  readonly #options: SenderOptions;
  /** The API server's `host:port`, for errors. */
  protected readonly address: string;
  readonly #closed = new AbortController();
  readonly #idle = new IdleConnections();
  /** Connections whose requests wait for an answer. */
  readonly #asked = new Set<HttpConnection>();
  /** How often all open connections were distrusted. */
  #distrusted = 0;

  constructor(access: ClusterAccess, options: SenderOptions) {
    this.access = access;
    this.#options = options;
    const { hostname, port, protocol } = access.server;
    this.address = hostAndPort(unbracketed(hostname), Number(port || (protocol === "http:" ? 80 : 443)));
  }

  /** Sends a request and reads its whole answer. @throws {ApiError} {ConnectionError} {CredentialError} */
  protected async send(method: string, path: string, options: RequestOptions): Promise<ReadAnswer> {
    const bounds = this.#bounds(options.signal);
    try {
      const { response, keep } = await this.#exchange(method, path, options, bounds);
      const text = await readText(response);
      keep();
      return { headers: response.headers, date: serverDate(response), text };
    } catch (error) {
      throw this.#connectionError(error, bounds);
    } finally {
      bounds.end();
    }
  }

  /** Sends a GET request and yields its answer as it arrives, for at most `lastsMs`. @throws as {@linkcode RequestSender.send} does */
  protected async *stream(path: string, options: RequestOptions, lastsMs: number): AsyncGenerator<Uint8Array> {
    const bounds = this.#bounds(options.signal);
    try {
      const { response, keep } = await this.#exchange("GET", path, options, bounds);
      bounds.startTimeout(lastsMs);
      yield* response.body;
      keep();
    } catch (error) {
      throw this.#connectionError(error, bounds);
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
    for (const connection of this.#asked) connection.destroy(new HttpConnectionError("the network may have changed", "unanswered"));
  }

  /** Closes all connections and ends all requests; later ones are refused. */
  close(): void {
    this.#closed.abort();
    this.#idle.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #bounds(signal: AbortSignal | undefined): RequestBounds {
    return new RequestBounds([signal, this.#options.signal, this.#closed.signal], this.address);
  }

  /** Retries until the answer is final. @returns also a function to call once the body was read to its end */
  async #exchange(method: string, path: string, options: RequestOptions, bounds: RequestBounds) {
    let refreshed = false;
    let resent = false;
    let tries = 1;
    for (let first = true;; first = false) {
      bounds.signal.throwIfAborted();
      // Not counted in the timeout: an exec plugin may wait for the user to log in.
      const identity = await bounds.race(this.access.connection());
      if (first) bounds.startTimeout(options.timeoutMs ?? this.access.requestTimeoutMs ?? DEFAULT_TIMEOUT_MS);
      const idle = this.#idle.take(identity.identity, method);
      const connection = idle ?? new HttpConnection(await identity.dial({ signal: bounds.signal }));
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
        if (response.status < 300) return { response, keep };
        text = await readText(response);
      } catch (error) {
        connection.destroy();
        const unanswered = error instanceof HttpConnectionError && error.kind === "unanswered";
        const mayRepeat = !resent && method !== "POST" && !bounds.signal.aborted;
        if (!unanswered || !(idle || distrusted !== this.#distrusted) || !mayRepeat) throw error;
        // It was closed while it was idle, or by distrustConnections(): the request was most likely never seen, and may be sent twice.
        resent = true;
        continue;
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
      const hint = response.status === 401 ? this.access.expiredCredential?.() : undefined;
      throw statusError(response.status, text, { date: serverDate(response), repeated: resent, hint });
    }
  }

  #httpRequest(method: string, path: string, options: RequestOptions, identity: ConnectionOptions) {
    const { server } = this.access;
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) query.set(key, String(value));
    }
    const origin = identity.forwarding ? server.origin : "";
    const target = origin + targetAt(server, safePath(path)) + (query.size > 0 ? `?${query}` : "");
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

  #connectionError(error: unknown, bounds: RequestBounds): unknown {
    if (bounds.signal.aborted) return bounds.signal.reason;
    if (!(error instanceof HttpConnectionError)) return error;
    const kind = error.kind === "malformed" ? "protocol" : error.cause === undefined ? "reset" : connectionErrorKind(error.cause);
    return new ConnectionError(kind, { address: this.address, detail: error.message, cause: error });
  }
}

/**
 * A path without characters that would end it. A name in it may come from the cluster (an annotation, an owner reference), and a line break
 * there would begin another request, with the user's rights.
 */
function safePath(path: string): string {
  return path.toWellFormed().replace(/[^\x21-\x7e]|[?#]/gu, encodeURIComponent);
}

/**
 * Ends a request early: by signals or by a timeout. The reason is always a {@linkcode ConnectionError}. With AbortSignal.any, Deno 2.9 would
 * keep 1.2 KB for each listener that is not removed, for as long as a source lives.
 */
class RequestBounds {
  readonly #controller = new AbortController();
  readonly #sources: readonly AbortSignal[];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Aborted when the request must end. */
  readonly signal = this.#controller.signal;

  constructor(sources: readonly (AbortSignal | undefined)[], readonly address: string) {
    this.#sources = sources.filter((source) => source !== undefined);
    for (const source of this.#sources) source.addEventListener("abort", this.#abort);
    if (this.#sources.some(({ aborted }) => aborted)) this.#abort();
  }

  /** Starts the timeout, or restarts it with another time. 0 means no timeout. */
  startTimeout(ms: number): void {
    clearTimeout(this.#timer);
    if (ms === 0 || this.signal.aborted) return;
    this.#timer = setTimeout(() => this.#stop("timeout", `no answer within ${ms / 1000} s`), ms);
  }

  /** Calls back when the request must end. @returns a function that removes the callback */
  onStop(stopped: (error: Error) => void): () => void {
    const listener = () => stopped(this.signal.reason);
    this.signal.addEventListener("abort", listener, { once: true });
    return () => this.signal.removeEventListener("abort", listener);
  }

  /** The promise's result. @throws {ConnectionError} if the request must end first */
  race<T>(promise: Promise<T>): Promise<T> {
    const stopped = Promise.withResolvers<never>();
    return Promise.race([promise, stopped.promise]).finally(this.onStop(stopped.reject));
  }

  /** Stops the timeout and the listening: the request is over. */
  end(): void {
    clearTimeout(this.#timer);
    for (const source of this.#sources) source.removeEventListener("abort", this.#abort);
  }

  #stop(kind: "timeout" | "aborted", detail: string, cause?: unknown): void {
    this.#controller.abort(new ConnectionError(kind, { address: this.address, detail, cause }));
  }

  readonly #abort = () => this.#stop("aborted", "the request was cancelled", this.#sources.find(({ aborted }) => aborted)?.reason);
}

async function readText(response: HttpResponse): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      throw new HttpConnectionError(`the answer is longer than ${MAX_ANSWER_BYTES / 1024 / 1024} MiB`, "malformed");
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
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
