import { ok, rejects, strictEqual as equal } from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { asciiOnly, bundleServer } from "./server_bundle.ts";

async function source(text: string, use: (entry: URL) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/main.ts`, text);
    await use(pathToFileURL(`${folder}/main.ts`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("bundleServer() makes one file of kurun's server, which starts and does not reveal who built it", async () => {
  const bundle = new TextDecoder().decode(await bundleServer(new URL("../../server/main.ts", import.meta.url)));
  ok(!bundle.includes("/npm/"), "it has no package in it");
  ok(/^[\0-\x7f]*$/.test(bundle), "V8 needs no copy of it");
  ok(!bundle.includes(Deno.env.get("HOME") ?? "/root"));
  ok(!/\.\.\/[^\n]*\/npm\//.test(bundle));
  ok(!/^import\b/m.test(bundle), "modules of node are loaded by what needs them: they cost each start of a Pod 50 to 90 ms");
  const path = await Deno.makeTempFile({ suffix: ".js" });
  try {
    await Deno.writeTextFile(path, bundle);
    const { stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", "--no-npm", "--no-remote", path],
      env: { NO_COLOR: "1" },
    }).output();
    ok(/--session and --instance are required/.test(new TextDecoder().decode(stderr)), new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("bundleServer() reports the compiler's error without a backtrace", async () => {
  await source("export const a = ;\n", async (entry) => {
    await rejects(bundleServer(entry), (error: Error) => {
      equal(error.name, "ImageError");
      ok(
        error.message.startsWith(`cannot bundle kurun's server (${entry}): deno bundle of Deno ${Deno.version.deno} said\n`),
        error.message,
      );
      ok(error.message.includes("Expression expected"), error.message);
      ok(!error.message.includes("backtrace"));
      return true;
    });
  });
});

Deno.test("bundleServer() stops at an abort", async () => {
  await source("export const a = 1;\n", async (entry) => {
    await rejects(bundleServer(entry, { signal: AbortSignal.abort() }), { name: "AbortError" });
  });
});

Deno.test("a module means the same once it is ASCII only", async () => {
  const source = String
    .raw`/* … */ export const [text, found] = ['10 µs…, 世界 😀 \é\\é', /^[nuµμ\é]s$/.test('μs') && /^.$/u.test('😀')]; // →`;
  const ascii = asciiOnly(source);
  ok(/^[\0-\x7f]*$/.test(ascii), ascii);
  const { text, found } = await import(`data:text/javascript,${encodeURIComponent(ascii)}`);
  equal(text, "10 µs…, 世界 😀 é\\é");
  equal(found, true);
});
