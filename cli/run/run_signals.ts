import type { RunEnd } from "../../tunnel/mod.ts";
import type { Context, UserSignal } from "../command/context.ts";

/** kurun stops waiting for a killed program's end after this: the connection to it is lost. */
const KILLED_MS = 3_000;
const KILLED: RunEnd = { code: 137, signal: "SIGKILL" };

/** Sends the user's signals to the program instead of ending kurun. The second one kills the program. */
export class RunSignals {
  readonly #release: () => void;
  readonly #first = Promise.withResolvers<void>();
  /** Resolves with the first signal. */
  readonly first: Promise<void> = this.#first.promise;
  readonly #givenUp = Promise.withResolvers<RunEnd>();
  /** Resolves if a killed program cannot report its end. */
  readonly givenUp: Promise<RunEnd> = this.#givenUp.promise;
  /** Whether the user asked the program to end. */
  asked = false;
  /** Whether the user had the program killed. */
  killed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: Context, private readonly send: (signal: string) => void) {
    this.#release = context.stdio.takeSignals((signal) => this.take(signal));
  }

  /** Handles a signal of the user's. */
  take(signal: UserSignal): void {
    this.#first.resolve();
    if (!this.asked) {
      this.asked = true;
      return this.send(signal);
    }
    this.send("SIGKILL");
    // The third signal waits for nothing.
    if (this.killed) this.#givenUp.resolve(KILLED);
    this.killed = true;
    this.#timer ??= setTimeout(() => this.#givenUp.resolve(KILLED), KILLED_MS);
  }

  /** From now on signals end kurun again. */
  release(): void {
    clearTimeout(this.#timer);
    this.#release();
  }
}
