/**
 * Builds tests/registry. Inside of the test cluster there is no way to the Go module proxy: run from outside, this fetches what it takes,
 * and inside go finds all of it in its caches.
 *
 * @module
 */
import { findGo, goBuild } from "./cluster/go.ts";

const FOLDER = new URL("registry/", import.meta.url).pathname;
const PROGRAM = new URL("../build/registry", import.meta.url).pathname;

/**
 * A real registry, distribution's (tests/registry/main.go).
 * @returns its path
 * @throws ClusterUnavailableError without Go, ClusterError with what go said
 */
export async function registryProgram(): Promise<string> {
  await goBuild(await findGo(), FOLDER, ["-mod=readonly"], PROGRAM, () => {});
  return PROGRAM;
}

if (import.meta.main) await registryProgram();
