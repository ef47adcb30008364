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
  // A folder at its place makes the write fail.
  await Deno.remove(`${cache}/server/${kept!.name}`);
  await Deno.mkdir(`${cache}/server/${kept!.name}/in-the-way`, { recursive: true });
  ok((await serverSource(cache)).length > 100_000);
  equal((await Array.fromAsync(Deno.readDir(`${cache}/server`))).length, 1, "nothing unfinished is left");
  await Deno.remove(cache, { recursive: true });
});

Deno.test("serverSource() works without a place to keep the bundle", async () => {
  const file = await Deno.makeTempFile();
  ok((await serverSource(file)).length > 100_000);
  ok((await serverSource(undefined)).length > 100_000);
  await Deno.remove(file);
});
