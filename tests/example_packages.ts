/**
 * Downloads what the examples import. Inside the test cluster's network registries cannot be reached, so go and deno must find everything in
 * their caches.
 *
 * @module
 */
import { findGo } from "./cluster/go.ts";

const EXAMPLES = new URL("../examples/", import.meta.url).pathname;
const WITH_MODULES = ["guestbook", "hello", "operator", "screen"];

/** Downloads the packages of all examples. @throws {ClusterUnavailableError} without Go @throws {Error} with the output of go or deno */
export async function fetchExamplePackages(): Promise<void> {
  const { program: go } = await findGo();
  for (const example of WITH_MODULES) await run(go, ["mod", "download"], `${EXAMPLES}${example}`);
  await run(Deno.execPath(), ["cache", "main.ts"], `${EXAMPLES}words`);
}

async function run(program: string, args: string[], cwd: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, cwd, stdout: "null", stderr: "piped" }).output();
  if (!success) throw new Error(`${program} ${args.join(" ")} in ${cwd}: ${new TextDecoder().decode(stderr)}`);
}
