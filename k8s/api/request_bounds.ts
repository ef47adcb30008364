import { ConnectionError } from "./connection_error.ts";

/** Ends a request early: by signals or by a timeout. The reason is always a {@linkcode ConnectionError}. */
export class RequestBounds {
  readonly #controller = new AbortController();
  readonly #sources: AbortSignal[];
  readonly #address: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Aborted when the request must end. */
  readonly signal = this.#controller.signal;

  /**
   * @param sources signals that end it
   * @param address the server's address, for errors
   */
  constructor(sources: readonly (AbortSignal | undefined)[], address: string) {
    this.#sources = sources.filter((source) => source !== undefined);
    this.#address = address;
    for (const source of this.#sources) {
      source.addEventListener("abort", this.#abort);
      if (source.aborted) this.#abort();
    }
  }

  /** Starts the timeout, or restarts it with another time. 0 means no timeout. */
  startTimeout(ms: number): void {
    clearTimeout(this.#timer);
    if (ms === 0 || this.signal.aborted) return;
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
  race<T>(promise: Promise<T>): Promise<T> {
    const stopped = Promise.withResolvers<never>();
    return Promise.race([promise, stopped.promise]).finally(this.onStop(stopped.reject));
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
