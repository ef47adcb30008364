import { dirname } from "node:path";

/** Said to the user when it takes longer than this to get the lock. */
const PATIENCE_MS = 300;

/**
 * Runs work while holding a lock on a file (flock): the kernel lets go of it when the process ends, however it ends.
 *
 * @param waiting called once, where somebody else holds it
 */
export async function locked<T>(file: string, waiting: () => void, work: () => Promise<T>): Promise<T> {
  await Deno.mkdir(dirname(file), { recursive: true });
  using handle = await Deno.open(file, { create: true, write: true });
  const timer = setTimeout(waiting, PATIENCE_MS);
  try {
    await handle.lock(true);
  } finally {
    clearTimeout(timer);
  }
  return await work();
}
