/**
 * Logs errors that nothing handles, and lets the process go on.
 *
 * By default they end it. In the Pod it is process 1: with it go the user's program, or all callers' connections. An error that escapes is
 * a bug in kurun; it must cost the one connection that it belongs to, no more.
 *
 * @param log takes one line for each error
 */
export function logUnhandledErrors(log: (line: string) => void): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log(`this is a bug in kurun, please report it: unhandled rejection: ${described(event.reason)}`);
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    log(`this is a bug in kurun, please report it: uncaught error: ${described(event.error)}`);
  });
}

function described(error: unknown): string {
  return (error instanceof Error && error.stack) || String(error);
}
