import { match, ok, strictEqual as equal } from "node:assert/strict";
import { fileURLToPath } from "node:url";

Deno.test("kurun image refuses a missing folder in --output before it does anything, and creates nothing", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const main = fileURLToPath(new URL("../main.ts", import.meta.url));
    const args = ["run", "-A", "--no-check", main, "image", "--output", `${folder}/nope/image.tar`];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } }).output();
    match(new TextDecoder().decode(stderr), /^error: --output: there is no folder .*\/nope: create it, or choose another file\n$/);
    equal(code, 2);
    ok((await Array.fromAsync(Deno.readDir(folder))).length === 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
