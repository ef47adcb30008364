import { sleep } from "../../k8s/api/sleep.ts";

/** The longest delay of a timer: longer ones fire at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** How often {@link onWake} reads the clock. */
const TICK_MS = 1_000;
/** The machine has slept if the clock is this far ahead of a tick; a busy event loop stays below. */
const JUMP_MS = 4_000;

/** Waits `ms` milliseconds or until aborted; it never throws. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, signal).catch(() => {});
}

/** Pauses that can be cut short. */
export class Alarm {
  #rung = new AbortController();

  /** Ends all current pauses. */
  ring(): void {
    this.#rung.abort();
    this.#rung = new AbortController();
  }

  /** Waits `ms` milliseconds, until it rings, or until aborted. */
  pause(ms: number, signal: AbortSignal): Promise<void> {
    return pause(ms, AbortSignal.any([signal, this.#rung.signal]));
  }
}

/**
 * Calls `woke` when this process has not run for a while: the machine slept, or the process was stopped (SIGSTOP) and continues.
 * @param date the time of day, which advances while the machine sleeps; monotonic clocks stop
 */
export function onWake(date: () => Date, woke: (sleptMs: number) => void, signal: AbortSignal): void {
  let last = date().getTime();
  const timer = setInterval(() => {
    const now = date().getTime();
    const slept = now - last - TICK_MS;
    last = now;
    if (slept >= JUMP_MS) woke(slept);
  }, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  if (signal.aborted) clearInterval(timer);
}
