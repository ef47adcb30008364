import { deepStrictEqual as same, rejects, strictEqual as equal, throws } from "node:assert/strict";
import { fileDigest } from "./file_digest.ts";
import { userCacheFolder } from "./cache_folder.ts";
import { cachedLayer } from "./layer_cache.ts";
import type { TarEntry } from "./tar.ts";

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(`${folder}/cache`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const file = (text: string): TarEntry[] => [{ type: "file", path: "a", contents: new TextEncoder().encode(text) }];

/** Asks for a layer. @returns it, and whether it had to be packed */
async function ask(folder: string, entries: TarEntry[]) {
  let packed = false;
  const layer = await cachedLayer(folder, entries, { onPack: () => packed = true });
  equal(await fileDigest(layer.path), layer.digest);
  return { layer, packed };
}

Deno.test("cachedLayer() packs the same entries once", async () => {
  await inFolder(async (folder) => {
    const first = await ask(folder, file("1"));
    const second = await ask(folder, file("1"));
    same([first.packed, second.packed], [true, false]);
    same(second.layer, first.layer);
  });
});

Deno.test("cachedLayer() packs again after a change of contents, mode or a copied file", async () => {
  await inFolder(async (folder) => {
    await ask(folder, file("1"));
    equal((await ask(folder, file("2"))).packed, true);
    equal((await ask(folder, file("1").map((entry) => ({ ...entry, mode: 0o600 })))).packed, true);
    const copied: TarEntry[] = [{ type: "file", path: "a", contents: { copyOf: `${folder}/source` } }];
    await Deno.writeTextFile(`${folder}/source`, "1");
    await ask(folder, copied);
    await Deno.writeTextFile(`${folder}/source`, "2");
    equal((await ask(folder, copied)).packed, true);
  });
});

Deno.test("cachedLayer() packs again when the cached file is damaged or gone", async () => {
  await inFolder(async (folder) => {
    const { layer } = await ask(folder, file("1"));
    await Deno.writeTextFile(layer.path, "damaged");
    same(await ask(folder, file("1")), { layer, packed: true });
    await Deno.remove(layer.path);
    same(await ask(folder, file("1")), { layer, packed: true });
    await Deno.writeTextFile(layer.path.replace(/tar\.gz$/, "json"), "{");
    same(await ask(folder, file("1")), { layer, packed: true });
  });
});

Deno.test("cachedLayer() keeps the four most recently used layers", async () => {
  await inFolder(async (folder) => {
    for (const text of ["1", "2", "3", "4", "1", "5"]) {
      await ask(folder, file(text));
      await new Promise((wake) => setTimeout(wake, 15)); // file times tell which was used last
    }
    equal((await ask(folder, file("1"))).packed, false);
    equal((await Array.fromAsync(Deno.readDir(folder))).length, 2 * 4);
    equal((await ask(folder, file("2"))).packed, true);
  });
});

Deno.test("cachedLayer() leaves no file when it fails", async () => {
  await inFolder(async (folder) => {
    const signal = AbortSignal.abort();
    await rejects(cachedLayer(folder, file("1"), { signal }), { name: "AbortError" });
    same(await Array.fromAsync(Deno.readDir(folder)), []);
  });
});

Deno.test("userCacheFolder() is the user's cache folder, else one in the home folder", () => {
  const of = (variables: Record<string, string>) => userCacheFolder((name) => variables[name]);
  equal(of({ XDG_CACHE_HOME: "/c", HOME: "/h" }), "/c/kurun");
  equal(of({ XDG_CACHE_HOME: "", HOME: "/h" }), "/h/.cache/kurun");
  throws(() => of({}), { name: "ImageError", message: /Set XDG_CACHE_HOME/ });
});
