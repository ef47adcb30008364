/**
 * Builds examples/guestbook. The Go module proxy cannot be reached inside the test cluster's network: run this outside first, so that go finds
 * everything in its caches.
 *
 * @module
 */
import { findGo, goBuild } from "./cluster/go.ts";

const FOLDER = new URL("../examples/guestbook/cmd/", import.meta.url).pathname;
const PROGRAM = new URL("../build/guestbook", import.meta.url).pathname;

/** Builds the operator. @returns its path @throws {ClusterUnavailableError} without Go @throws {ClusterError} with Go's output */
export async function guestbookProgram(): Promise<string> {
  await goBuild(await findGo(), FOLDER, ["-mod=readonly"], PROGRAM, () => {});
  return PROGRAM;
}

if (import.meta.main) await guestbookProgram();
