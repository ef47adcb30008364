/** How often the clock is looked at. */
const TICK_MS = 1_000;
/** The clock has jumped where it is this far ahead of what a tick takes; a busy event loop stays below. */
const JUMP_MS = 4_000;

/**
 * Tells when this process had not run for a while: the machine slept, or it was stopped (SIGSTOP) and goes on.
 * @param date the time of day, which goes on while a machine sleeps; other clocks stand still then
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
