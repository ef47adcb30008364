import { dirname } from "node:path";

/** The user is told when getting the lock takes longer than this. */
const PATIENCE_MS = 300;

/**
 * Runs work while holding a lock on a file (flock). The kernel releases it when the process ends, however it ends.
 *
 * @param waiting called once if another process holds the lock
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
