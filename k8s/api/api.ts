import { onStatus } from "./api_error.ts";
import { ConnectionError } from "./connection_error.ts";
import { parseJson } from "./exact_json.ts";
import type { Live } from "./kubernetes_objects.ts";
import { type Query, type RequestOptions, RequestSender } from "./request_sender.ts";
import { parseWarnings } from "./warning_header.ts";
import { type WatchEvent, watchEvents } from "./watch.ts";

/** A successful answer. */
export interface ApiAnswer<T = unknown> {
  /** The decoded JSON; undefined if there was none. */
  readonly body: T;
  /** The API server's clock, in whole seconds. */
  readonly date: Date | undefined;
  /** Warnings of the API server, such as a violated Pod Security level. */
  readonly warnings: readonly string[];
}

/** A step of a JSON patch. */
export interface PatchOperation {
  readonly op: "add" | "remove" | "replace" | "test";
  readonly path: string;
  readonly value?: unknown;
}

/** The `accept` of requests that need only the metadata of an object or of a list: a session's ConfigMap has 280 kB. */
export const METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
export const METADATA_LIST_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/** The manager of the fields that kurun writes. */
export const FIELD_MANAGER = "kurun";
const PAGE_SIZE = 500;
/** The API server is asked to end a watch after this, in seconds; the caller starts another one. */
const WATCH_SECONDS = 30;
/** If the API server has not ended a watch this much later, in milliseconds, the network may be dead, and the watch is ended here. */
const WATCH_LATE_MS = 3_000;

/** A client of one API server for one user. */
export class Api extends RequestSender {
  /**
   * Sends one request and reads its whole answer.
   * @param path from the API server's root, such as `/api/v1/namespaces`
   * @throws {ApiError} if the API server refuses
   * @throws {ConnectionError} if there is no answer
   * @throws {CredentialError} if the user's credentials cannot be obtained
   */
  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<ApiAnswer<T>> {
    const { headers, date, text } = await this.send(method, path, options);
    return { body: this.#decode(text) as T, date, warnings: parseWarnings(headers.get("warning") ?? []) };
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
  async list<T = Live>(path: string, options: RequestOptions = {}): Promise<{ items: T[]; date: Date | undefined }> {
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
    const query = { fieldManager: FIELD_MANAGER, ...options.query };
    return this.request<T>("PATCH", path, { contentType: "application/merge-patch+json", ...options, body, query });
  }

  /** Changes an object with a JSON patch (RFC 6902). A test that fails is refused with 422. @throws as {@linkcode Api.request} does */
  jsonPatch<T>(path: string, operations: readonly PatchOperation[], options: RequestOptions = {}): Promise<ApiAnswer<T>> {
    const query = { fieldManager: FIELD_MANAGER, ...options.query };
    return this.request<T>("PATCH", path, { ...options, contentType: "application/json-patch+json", body: operations, query });
  }

  /**
   * Creates or changes an object with server-side apply.
   * @param options.force takes fields over from another manager, instead of a conflict (409)
   * @throws as {@linkcode Api.request} does
   */
  apply<T>(
    path: string,
    body: unknown,
    options: RequestOptions & { readonly fieldManager?: string; readonly force?: boolean } = {},
  ): Promise<ApiAnswer<T>> {
    const { fieldManager = FIELD_MANAGER, force = false, ...rest } = options;
    const query = { fieldManager, force: force ? true : undefined, ...rest.query };
    return this.request<T>("PATCH", path, { ...rest, contentType: "application/apply-patch+yaml", body, query });
  }

  /**
   * Deletes an object and what it owns. Always with a propagation policy: a Job that is deleted without one orphans everything it owns.
   * @param options.uid deletes only the object with this uid, otherwise 409
   * @param options.resourceVersion deletes the object only if nobody has changed it since, otherwise 409
   * @param options.dryRun deletes nothing; sent in the body, because the API server ignores the query if there is a body
   * @throws as {@linkcode Api.request} does
   */
  delete<T>(
    path: string,
    options: RequestOptions & {
      readonly uid?: string | undefined;
      readonly resourceVersion?: string | undefined;
      readonly dryRun?: boolean;
    } = {},
  ): Promise<ApiAnswer<T>> {
    const { uid, resourceVersion, dryRun, ...rest } = options;
    const preconditions = uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
    // JSON leaves out what is undefined.
    const fields = { propagationPolicy: "Background", preconditions, dryRun: dryRun ? ["All"] : undefined };
    return this.request<T>("DELETE", path, { ...rest, body: { apiVersion: "v1", kind: "DeleteOptions", ...fields } });
  }

  /**
   * Watches a collection for so many seconds. The caller then starts another watch, because one over a dead network waits forever.
   * @throws {ConnectionError} if the connection breaks, does not end in time (`timeout`), or the signal is aborted (`aborted`)
   * @throws {ApiError} if the API server refuses the watch
   */
  async *watch<T>(
    path: string,
    options: { readonly query?: Query; readonly signal?: AbortSignal; readonly seconds?: number } = {},
  ): AsyncGenerator<WatchEvent<T>> {
    const { signal, seconds = WATCH_SECONDS } = options;
    const query = { watch: true, timeoutSeconds: seconds, ...options.query };
    try {
      yield* watchEvents<T>(this.stream(path, { query, signal }, seconds * 1000 + WATCH_LATE_MS));
    } catch (error) {
      throw error instanceof SyntaxError ? this.#malformed(error.message, error) : error;
    }
  }

  #decode(text: string): unknown {
    try {
      return text.trim() === "" ? undefined : parseJson(text);
    } catch (cause) {
      throw this.#malformed(`the answer is not from a Kubernetes API server: ${text.trim().slice(0, 100)}`, cause);
    }
  }

  #malformed(detail: string, cause: unknown): ConnectionError {
    return new ConnectionError("protocol", { address: this.address, detail, cause });
  }
}
