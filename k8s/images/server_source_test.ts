import { ok, strictEqual as equal } from "node:assert/strict";
import { serverSource } from "./server_source.ts";

Deno.test("serverSource() bundles the server once, and gives the kept bundle after that", async () => {
  const cache = await Deno.makeTempDir();
  const source = await serverSource(cache);
  ok(/--session and --instance are required/.test(source));
  // A ConfigMap holds 1 MiB.
  ok(source.length < 700_000, `${source.length} characters`);
  const [kept, ...others] = await Array.fromAsync(Deno.readDir(`${cache}/server`));
  equal(others.length, 0, "nothing unfinished is left");
  await Deno.writeTextFile(`${cache}/server/${kept!.name}`, "// kept");
  equal(await serverSource(cache), "// kept");
  await Deno.remove(cache, { recursive: true });
});

Deno.test("serverSource() works without a place to keep the bundle", async () => {
  const file = await Deno.makeTempFile();
  ok((await serverSource(file)).length > 100_000);
  ok((await serverSource(undefined)).length > 100_000);
  await Deno.remove(file);
});
