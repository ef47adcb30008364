import type { RunEnd } from "../../tunnel/mod.ts";
import type { Context } from "../command/context.ts";
import type { UserSignal } from "../command/user_stdio.ts";

/** A program that was killed and whose end is not told after this is given up: the connection to it is lost. */
const KILLED_MS = 3_000;
const KILLED: RunEnd = { code: 137, signal: "SIGKILL" };

/** Sends the user's signals to the program instead of ending kurun; the second of those that mean "end" kills it. */
export class RunSignals {
  readonly #send: (signal: string) => void;
  readonly #release: () => void;
  readonly #first = Promise.withResolvers<void>();
  readonly #givenUp = Promise.withResolvers<RunEnd>();
  #endings = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: Context, send: (signal: string) => void) {
    this.#send = send;
    this.#release = context.stdio.takeSignals((signal) => this.take(signal));
  }

  /** The user sends this one. */
  take(signal: UserSignal): void {
    this.#first.resolve();
    if (this.#endings++ === 0) return this.#send(signal);
    this.#send("SIGKILL");
    // A third time nothing is waited for.
    if (this.#endings > 2) this.#givenUp.resolve(KILLED);
    this.#timer ??= setTimeout(() => this.#givenUp.resolve(KILLED), KILLED_MS);
  }

  /** Whether the program was killed by the user. */
  get killed(): boolean {
    return this.#endings > 1;
  }

  /** Whether the user wants an end. */
  get asked(): boolean {
    return this.#endings > 0;
  }

  /** Settles with the first signal. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  /** Settles where a program that was killed cannot tell of its end. */
  get givenUp(): Promise<RunEnd> {
    return this.#givenUp.promise;
  }

  /** From here on signals end kurun again. */
  release(): void {
    clearTimeout(this.#timer);
    this.#release();
  }
}
