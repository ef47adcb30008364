/**
 * Waits a part of a second by chance. The kubelet looks once a second at what has started and probes it, and the nodes' rules follow once a
 * second: what begins right behind the end of the one before meets them at the same point each time, with one second more in all of five
 * starts or in none.
 */
export function anyPointOfASecond(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * 1_000));
}
