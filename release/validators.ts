/** The programs of other projects that check files of a release. .ci/release_tools installs them; a machine may lack some. @module */

import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";

/** Where .ci/release_tools installs them. */
export const TOOLS: string = fileURLToPath(new URL("../build/tools/", import.meta.url));

/** Where a program is: in build/tools/ or in PATH. */
export async function programPath(name: string): Promise<string | undefined> {
  for (const folder of [`${TOOLS}bin`, `${TOOLS}python/bin`, ...(Deno.env.get("PATH") ?? "").split(delimiter)]) {
    const path = `${folder}/${name}`;
    if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return path;
  }
  return undefined;
}

/** How a program ended. */
export interface Verdict {
  readonly accepted: boolean;
  readonly output: string;
}

/**
 * Registers a test that needs what a machine may lack. If something is missing, the test is ignored and its name says why; with
 * KURUN_REQUIRE_TOOLS=1, as in ci.yml, it fails.
 *
 * @param lacks what is missing, or undefined
 */
export function testUnless(lacks: string | undefined, name: string, fn: () => void | Promise<void>): void {
  if (lacks === undefined) Deno.test(name, fn);
  else if (!Deno.env.get("KURUN_REQUIRE_TOOLS")) Deno.test.ignore(`${name} (skipped: ${lacks})`, fn);
  else {
    Deno.test(name, () => {
      throw new Error(`${lacks}, and KURUN_REQUIRE_TOOLS is set`);
    });
  }
}

/** Registers a test that needs a program: see {@link testUnless}. */
export async function testWith(
  program: string,
  name: string,
  fn: (run: (...args: string[]) => Promise<Verdict>) => Promise<void>,
): Promise<void> {
  const path = await programPath(program);
  const run = async (...args: string[]): Promise<Verdict> => {
    const { success, stdout, stderr } = await new Deno.Command(path as string, { args, stdin: "null" }).output();
    return { accepted: success, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  };
  testUnless(path ? undefined : `no ${program} here; .ci/release_tools installs it`, name, () => fn(run));
}
