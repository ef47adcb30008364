import { ConnectionError } from "./connection_error.ts";

/** What ends a request before its time: signals of others, or the clock. The reason is always a {@linkcode ConnectionError}. */
export class RequestBounds {
  readonly #controller = new AbortController();
  readonly #sources: AbortSignal[];
  readonly #timeoutMs: number;
  readonly #address: string;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param sources signals that end it
   * @param timeoutMs of the clock, once that is started; 0 is none
   * @param address that errors name
   */
  constructor(sources: readonly (AbortSignal | undefined)[], timeoutMs: number, address: string) {
    this.#sources = sources.filter((source) => source !== undefined);
    this.#timeoutMs = timeoutMs;
    this.#address = address;
    for (const source of this.#sources) {
      source.addEventListener("abort", this.#abort);
      if (source.aborted) this.#abort();
    }
  }

  /** Aborted when time is over. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether time is over. */
  get over(): boolean {
    return this.signal.aborted;
  }

  /** @throws ConnectionError when time is over */
  throwIfOver(): void {
    this.signal.throwIfAborted();
  }

  /** Starts the clock, once. */
  startTimeout(): void {
    if (this.#timeoutMs === 0 || this.#timer !== undefined) return;
    this.restartTimeout(this.#timeoutMs);
  }

  /** Starts the clock anew, with another time. */
  restartTimeout(ms: number): void {
    clearTimeout(this.#timer);
    if (this.over) return;
    this.#timer = setTimeout(() => {
      const detail = `no answer within ${ms / 1000} s`;
      this.#controller.abort(new ConnectionError("timeout", { address: this.#address, detail }));
    }, ms);
  }

  /** Calls back when time is over; returns how to take that back. */
  onStop(stopped: (error: Error) => void): () => void {
    const listener = () => stopped(this.signal.reason);
    this.signal.addEventListener("abort", listener, { once: true });
    return () => this.signal.removeEventListener("abort", listener);
  }

  /** The promise's result. @throws ConnectionError when time is over first */
  async race<T>(promise: Promise<T>): Promise<T> {
    let takeBack = () => {};
    try {
      return await Promise.race([promise, new Promise<never>((_, reject) => takeBack = this.onStop(reject))]);
    } finally {
      takeBack();
    }
  }

  /** Waits so many milliseconds. @throws ConnectionError when time is over first */
  async sleep(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await this.race(new Promise<void>((resolve) => timer = setTimeout(resolve, ms)));
    } finally {
      clearTimeout(timer);
    }
  }

  /** The request is over: nothing is listened for any more. */
  end(): void {
    clearTimeout(this.#timer);
    for (const source of this.#sources) source.removeEventListener("abort", this.#abort);
  }

  readonly #abort = () => {
    const reason = this.#sources.find((source) => source.aborted)?.reason;
    this.#controller.abort(new ConnectionError("aborted", { address: this.#address, detail: "the request was ended", cause: reason }));
  };
}
