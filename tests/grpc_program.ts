/**
 * Builds tests/grpc. Inside of the test cluster there is no way to the Go module proxy: run from outside, this fetches what it takes,
 * and inside go finds all of it in its caches.
 *
 * @module
 */
import { findGo, goBuild } from "./cluster/go.ts";

const FOLDER = new URL("grpc/", import.meta.url).pathname;
const PROGRAM = new URL("../build/grpc", import.meta.url).pathname;

/** Both ends of gRPC in one program (tests/grpc/main.go). @returns its path @throws ClusterUnavailableError without Go, ClusterError with what go said */
export async function grpcProgram(): Promise<string> {
  await goBuild(await findGo(), FOLDER, ["-mod=readonly"], PROGRAM, () => {});
  return PROGRAM;
}

if (import.meta.main) await grpcProgram();
