/** What has come through since the start, for the status line. */
export interface TrafficCounts {
  /** Connections that are open now. */
  readonly open: number;
  /** Connections since the start. */
  readonly connections: number;
  /** HTTP/1 requests since the start; 0 without `-v`. */
  readonly requests: number;
  readonly errors: number;
  /** The last error in words, already fit to be shown. */
  readonly lastError: string | undefined;
}

/** Counts what comes through. */
export class Traffic implements TrafficCounts {
  open = 0;
  connections = 0;
  requests = 0;
  errors = 0;
  lastError: string | undefined;
  readonly #changed: () => void;

  /** @param changed called after each change, so it must be quick */
  constructor(changed: () => void = () => {}) {
    this.#changed = changed;
  }

  /** A caller came. */
  opened(): void {
    this.open++;
    this.connections++;
    this.#changed();
  }

  /** A caller's connection is over. */
  closed(): void {
    this.open--;
    this.#changed();
  }

  /** A request has its answer, or will get none. */
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
