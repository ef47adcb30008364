/**
 * Fetches what the examples import: inside of the test cluster there is no way to the registries, and there go and deno find it in their
 * caches.
 *
 * @module
 */
import { findGo } from "./cluster/go.ts";

const EXAMPLES = new URL("../examples/", import.meta.url).pathname;
const WITH_MODULES = ["hello", "operator", "screen"];

/** Fetches the packages of all examples. @throws ClusterUnavailableError without Go, Error with what go or deno said */
export async function fetchExamplePackages(): Promise<void> {
  const { program: go } = await findGo();
  for (const example of WITH_MODULES) await run(go, ["mod", "download"], `${EXAMPLES}${example}`);
  await run(Deno.execPath(), ["cache", "main.ts"], `${EXAMPLES}words`);
}

async function run(program: string, args: string[], cwd: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, cwd, stdout: "null", stderr: "piped" }).output();
  if (!success) throw new Error(`${program} ${args.join(" ")} in ${cwd}: ${new TextDecoder().decode(stderr)}`);
}
