import assert from "node:assert/strict";
import type { Context } from "../command/context.ts";
import { runCommand } from "./run_command.ts";

/** The stderr of `kurun run` and the error that ends it. It contacts nothing: the program does not exist. */
async function attempt(...args: string[]): Promise<{ said: string; error: unknown }> {
  let said = "";
  const context = {
    stdio: { stdinIsTerminal: false, readable: false },
    stderr: (text: string) => void (said += text),
    random: (bytes: number) => new Uint8Array(bytes),
    env: () => undefined,
  } as unknown as Context;
  const command = runCommand(context).exitOverride().configureOutput({ writeErr: () => {} });
  const error = await command.parseAsync(args, { from: "user" }).then(() => undefined, (thrown) => thrown);
  return { said, error };
}

Deno.test("a flag of kurun after the program causes a warning, unless -- precedes it", async () => {
  for (const flags of [["-n", "shop"], ["--kubeconfig=x"], ["x", "--context", "y"], ["--watch"], ["--env=A=1"]]) {
    const { said } = await attempt("./nowhere.ts", ...flags);
    const flag = flags.find((one) => one.startsWith("-"))?.split("=")[0];
    assert.match(said, new RegExp(`^Warning: ${flag} follows the program, so the program gets it and kurun does not\\.`), flags.join(" "));
    assert.equal((await attempt("./nowhere.ts", "--", ...flags)).said, "");
    assert.equal((await attempt("nowhere.go", "more.go", "--", ...flags)).said, "");
  }
  for (const flags of [["-v"], ["--verbose"], ["n"], ["--names"], ["shop"]]) {
    assert.equal((await attempt("./nowhere.ts", ...flags)).said, "");
  }
});

Deno.test("a pull secret whose name no Secret can have is refused", async () => {
  const { error } = await attempt("--image-pull-secret", "My_Secret", "./nowhere.ts");
  assert.match(String(error), /--image-pull-secret My_Secret is not a valid Secret name: use lower-case letters/);
});

Deno.test("--rm without a value, as in Docker and kubectl, is refused with the right form", async () => {
  const { error } = await attempt("--rm", "./nowhere.ts");
  assert.match(String(error), /--rm must be true or false, got \.\/nowhere\.ts\. .*--rm=false keeps the Pod/);
});
