/** Counts since the start, for the status line. */
export interface TrafficCounts {
  /** Connections that are open now. */
  readonly open: number;
  /** Connections since the start. */
  readonly connections: number;
  /** HTTP/1 requests since the start; 0 without `-v`. */
  readonly requests: number;
  readonly errors: number;
  /** The last error, as text that is safe to print. */
  readonly lastError: string | undefined;
}

/** Counts connections, requests and errors. */
export class Traffic implements TrafficCounts {
  open = 0;
  connections = 0;
  requests = 0;
  errors = 0;
  lastError: string | undefined;
  readonly #changed: () => void;

  /** @param changed is called after each change */
  constructor(changed: () => void = () => {}) {
    this.#changed = changed;
  }

  /** A caller has connected. */
  opened(): void {
    this.open++;
    this.connections++;
    this.#changed();
  }

  /** A caller's connection has ended. */
  closed(): void {
    this.open--;
    this.#changed();
  }

  /** A request was answered, or will not be. */
  request(): void {
    this.requests++;
    this.#changed();
  }

  /** Something failed. */
  failed(what: string): void {
    this.errors++;
    this.lastError = what;
    this.#changed();
  }
}
