/**
 * Waits for a random part of a second. kubelet checks and probes Pods once a second, and the nodes' rules follow once a second. A start right
 * after the end of the previous one would always meet them at the same point, and take a second longer in all five runs or in none.
 */
export function anyPointOfASecond(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * 1_000));
}
