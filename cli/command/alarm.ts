import { pause } from "./pause.ts";

/** Pauses that somebody may cut short. */
export class Alarm {
  #rung = new AbortController();

  /** Ends all pauses that go on now. */
  ring(): void {
    this.#rung.abort();
    this.#rung = new AbortController();
  }

  /** Waits `ms` milliseconds, until it rings, or until aborted. */
  pause(ms: number, signal: AbortSignal): Promise<void> {
    return pause(ms, AbortSignal.any([signal, this.#rung.signal]));
  }
}
