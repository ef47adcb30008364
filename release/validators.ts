/** The programs of other projects that check files of a release. .ci/release_tools installs them; a machine may lack some. @module */

import { fileURLToPath } from "node:url";

const TOOLS = fileURLToPath(new URL("../build/tools/", import.meta.url));

/** Where a program is: in build/tools/ or in PATH. */
export async function programPath(name: string): Promise<string | undefined> {
  for (const folder of [`${TOOLS}bin`, `${TOOLS}python/bin`, ...(Deno.env.get("PATH") ?? "").split(":")]) {
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

/** Registers a test that needs a program; without it the test is ignored, and its name says so. */
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
  Deno.test({
    name: `${name}${path ? "" : ` (skipped: no ${program} here; .ci/release_tools installs it)`}`,
    ignore: !path,
    fn: () => fn(run),
  });
}
