import { ConnectionError } from "./connection_error.ts";

/** Ends a request early: by signals or by a timeout. The reason is always a {@linkcode ConnectionError}. */
export class RequestBounds {
  readonly #controller = new AbortController();
  readonly #sources: AbortSignal[];
  readonly #timeoutMs: number;
  readonly #address: string;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param sources signals that end it
   * @param timeoutMs the timeout once it is started; 0 is none
   * @param address the server's address, for errors
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

  /** Aborted when the request must end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the request must end. */
  get over(): boolean {
    return this.signal.aborted;
  }

  /** @throws {ConnectionError} if the request must end */
  throwIfOver(): void {
    this.signal.throwIfAborted();
  }

  /** Starts the timeout, once. */
  startTimeout(): void {
    if (this.#timeoutMs === 0 || this.#timer !== undefined) return;
    this.restartTimeout(this.#timeoutMs);
  }

  /** Restarts the timeout with another time. */
  restartTimeout(ms: number): void {
    clearTimeout(this.#timer);
    if (this.over) return;
    this.#timer = setTimeout(() => {
      const detail = `no answer within ${ms / 1000} s`;
      this.#controller.abort(new ConnectionError("timeout", { address: this.#address, detail }));
    }, ms);
  }

  /** Calls back when the request must end. @returns a function that removes the callback */
  onStop(stopped: (error: Error) => void): () => void {
    const listener = () => stopped(this.signal.reason);
    this.signal.addEventListener("abort", listener, { once: true });
    return () => this.signal.removeEventListener("abort", listener);
  }

  /** The promise's result. @throws {ConnectionError} if the request must end first */
  async race<T>(promise: Promise<T>): Promise<T> {
    let remove = () => {};
    try {
      return await Promise.race([promise, new Promise<never>((_, reject) => remove = this.onStop(reject))]);
    } finally {
      remove();
    }
  }

  /** Waits for so many milliseconds. @throws {ConnectionError} if the request must end first */
  async sleep(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await this.race(new Promise<void>((resolve) => timer = setTimeout(resolve, ms)));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Stops the timeout and the listening: the request is over. */
  end(): void {
    clearTimeout(this.#timer);
    for (const source of this.#sources) source.removeEventListener("abort", this.#abort);
  }

  readonly #abort = () => {
    const reason = this.#sources.find((source) => source.aborted)?.reason;
    this.#controller.abort(new ConnectionError("aborted", { address: this.#address, detail: "the request was cancelled", cause: reason }));
  };
}
