/** Tests of the executable from `deno task compile`, if KURUN_COMPILED names it; tests/run.ts sets that. */
import assert from "node:assert/strict";

const COMPILED = Deno.env.get("KURUN_COMPILED");

function compiledTest(name: string, fn: (compiled: string) => Promise<void>): void {
  Deno.test({ name, ignore: COMPILED === undefined, fn: () => fn(COMPILED as string) });
}

async function output(program: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, env, stdout: "piped", stderr: "piped" }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stderr));
  return text.decode(stdout);
}

compiledTest("the compiled kurun shows its help, with examples", async (compiled) => {
  assert.match(await output(compiled, ["port-forward", "--help"]), /\nExamples:\n/);
});

compiledTest("as kubectl-kurun it is kubectl's plugin and says so in its help", async (compiled) => {
  const folder = await Deno.makeTempDir({ prefix: "kurun-plugin-" });
  await Deno.symlink(compiled, `${folder}/kubectl-kurun`);
  const help = await output(`${folder}/kubectl-kurun`, ["port-forward", "--help"]);
  assert.match(help, /^Usage: kubectl kurun port-forward/);
  assert.match(help, /^ {2}kubectl kurun port-forward http:\/\/localhost:8080$/m);
  assert.match(await output(compiled, ["port-forward", "--help"]), /^Usage: kurun port-forward/);
  await Deno.remove(folder, { recursive: true });
});

compiledTest("it makes the Pod's image from the server that it contains", async (compiled) => {
  const file = await Deno.makeTempFile({ suffix: ".tar" });
  assert.match(await output(compiled, ["image", "--output", file]), /contains ghcr\.io\/kurun-dev\/server:/);
  assert.ok((await Deno.stat(file)).size > 20_000_000);
  await Deno.remove(file);
});
