/** A caller's connection, and whether the caller waits for an answer. */
export interface OpenCaller {
  readonly awaits: boolean;
}

/** Counts connections, requests and errors since the start, for the status line. */
export class Traffic {
  connections = 0;
  /** HTTP/1 requests; 0 without `-v`. */
  requests = 0;
  errors = 0;
  /** The last error, as text that is safe to print. */
  lastError: string | undefined;
  /** A request that is being waited for: what the status line says first. */
  waiting: string | undefined;
  readonly #open = new Set<OpenCaller>();

  /** @param changed is called after each change */
  constructor(private readonly changed: () => void = () => {}) {}

  /** Connections that are open now. */
  get open(): number {
    return this.#open.size;
  }

  /** Connections whose callers wait for an answer now. */
  get awaited(): number {
    return [...this.#open].filter(({ awaits }) => awaits).length;
  }

  /** A caller has connected. */
  opened(caller: OpenCaller): void {
    this.#open.add(caller);
    this.connections++;
    this.changed();
  }

  /** A caller's connection has ended. */
  closed(caller: OpenCaller): void {
    this.#open.delete(caller);
    this.changed();
  }

  /** A request was answered, or will not be. */
  request(): void {
    this.requests++;
    this.changed();
  }

  /** A request is being waited for; undefined if none is. */
  waits(what: string | undefined): void {
    if (what === this.waiting) return;
    this.waiting = what;
    this.changed();
  }

  /** Something failed. */
  failed(what: string): void {
    this.errors++;
    this.lastError = what;
    this.changed();
  }
}

/** What {@link Traffic} has counted. */
export type TrafficCounts = Pick<Traffic, "open" | "connections" | "requests" | "errors" | "lastError"> & {
  readonly waiting?: string | undefined;
};
