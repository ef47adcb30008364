import { findGo, goBuild } from "./cluster/go.ts";

const FOLDER = new URL("programs/caller/", import.meta.url).pathname;
const PROGRAM = new URL("../build/caller", import.meta.url).pathname;

/** Builds and starts the caller in Go (tests/programs/caller/main.go). @throws ClusterUnavailableError without Go */
export async function startGoCaller(...args: string[]): Promise<Deno.ChildProcess> {
  await goBuild(await findGo(), FOLDER, [], PROGRAM, () => {});
  return new Deno.Command(PROGRAM, { args, stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn();
}
