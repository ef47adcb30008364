import { dirname, join } from "node:path";

/** Whether there is a file of this name. */
export async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((stat) => stat.isFile, () => false);
}

/** Whether there is a file, a folder or anything else of this name. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** A folder, and all folders above it. */
export function* upwards(folder: string): Generator<string, void> {
  yield folder;
  if (dirname(folder) !== folder) yield* upwards(dirname(folder));
}

/** The first of these files that is in the folder, or else in the nearest one above it. */
export async function nearestFile(folder: string, names: readonly string[]): Promise<string | undefined> {
  for (const path of upwards(folder).flatMap((at) => names.map((name) => join(at, name)))) if (await isFile(path)) return path;
  return undefined;
}
