/**
 * Does what was ordered, one order after the other.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { nextOrder, type Order } from "./next_order.ts";

const api = Deno.env.get("API") ?? "http://api";
const stopping = new AbortController();
Deno.addSignalListener("SIGTERM", () => stopping.abort());

console.log(`working for ${api}`);
while (!stopping.signal.aborted) {
  try {
    const orders: Order[] = await (await ask("/orders")).json();
    const order = nextOrder(orders);
    if (order) {
      await (await ask(`/orders/${order.id}/done`, { method: "POST" })).body?.cancel();
      console.log(`order ${order.id}, ${order.item}, is done`);
      continue;
    }
  } catch (error) {
    console.log(`the API does not answer: ${error}`);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
}

/** An API that does not answer must not keep the worker from ending. */
function ask(path: string, options: RequestInit = {}): Promise<Response> {
  return fetch(`${api}${path}`, { ...options, signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(5_000)]) });
}
