/**
 * Serves everything that connects, until the listener is closed. Never rejects.
 * @param serve never rejects
 */
export async function acceptAll<C>(listener: { accept(): Promise<C> }, serve: (connection: C) => Promise<void>): Promise<void> {
  for (;;) {
    try {
      void serve(await listener.accept());
    } catch (error) {
      if (error instanceof Deno.errors.BadResource) return;
      // It was reset while it waited. Anybody can do that in a loop, and others must not wait for it.
      if (error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.ConnectionAborted) continue;
      // For example, too many files are open.
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
