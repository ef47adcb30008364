/** Waits for a promise. @returns null where it has not settled within so many milliseconds */
export async function within<T>(ms: number, promised: Promise<T>): Promise<T | null> {
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), ms);
  try {
    return await Promise.race([promised, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits so many milliseconds. Any module of node would cost the start of the Pod 20 ms and more. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
