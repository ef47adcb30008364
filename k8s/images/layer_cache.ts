import { createHash } from "node:crypto";
import { fileDigest } from "./file_digest.ts";
import { type ImageLayer, writeLayer } from "./image_layer.ts";
import type { TarEntry } from "./tar.ts";

/** Layers to keep: two architectures of this version and of the previous one. A layer with Deno has 42 MB. */
const LAYERS_KEPT = 4;

/**
 * Packs entries into a layer, or returns the cached layer of the same entries: compressing Deno takes 4 s, comparing it 0.3 s.
 * @param folder the cache's folder, created if it is missing; kurun writes and deletes `layer-*` in it
 * @throws what {@link writeLayer} throws
 */
export async function cachedLayer(
  folder: string,
  entries: readonly TarEntry[],
  options: { signal?: AbortSignal | undefined; onPack?: () => void } = {},
): Promise<ImageLayer> {
  await Deno.mkdir(folder, { recursive: true });
  const path = `${folder}/layer-${await entriesKey(entries)}`;
  const kept = await readKept(path);
  if (kept) return kept;
  options.onPack?.();
  // Each process has its own file, so that two do not write into one.
  const partial = await Deno.makeTempFile({ dir: folder, prefix: ".partial-" });
  const layer = { ...await writeLayer(partial, entries, options), path: `${path}.tar.gz` };
  await Deno.rename(partial, layer.path);
  await Deno.writeTextFile(`${path}.json`, JSON.stringify(layer));
  await removeOldest(folder);
  return layer;
}

/** The cached layer, if its digest is still right: a full disk or a person may have changed the file. */
async function readKept(path: string): Promise<ImageLayer | undefined> {
  try {
    const layer: ImageLayer = { ...JSON.parse(await Deno.readTextFile(`${path}.json`)), path: `${path}.tar.gz` };
    if (await fileDigest(layer.path) !== layer.digest) return undefined;
    await Deno.utime(`${path}.json`, new Date(), new Date());
    return layer;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A key of everything that decides a layer's bytes; the compressor comes with Deno. */
async function entriesKey(entries: readonly TarEntry[]): Promise<string> {
  const hash = createHash("sha256").update(`2 ${Deno.version.deno}`);
  for (const entry of entries) {
    hash.update(JSON.stringify(entry, (key, value) => key === "contents" ? undefined : value));
    if (entry.type !== "file") continue;
    const { contents } = entry;
    hash.update(contents instanceof Uint8Array ? createHash("sha256").update(contents).digest("hex") : await fileDigest(contents.copyOf));
  }
  return hash.digest("hex").slice(0, 32);
}

async function removeOldest(folder: string): Promise<void> {
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  const records = names.filter((name) => /^layer-.*\.json$/.test(name)).map((name) => `${folder}/${name}`);
  const layers = await Promise.all(records.map(async (record) => ({ record, used: Number((await Deno.stat(record)).mtime) })));
  for (const { record } of layers.sort((a, b) => b.used - a.used).slice(LAYERS_KEPT)) {
    for (const path of [record, record.replace(/json$/, "tar.gz")]) await Deno.remove(path).catch(() => {});
  }
}
