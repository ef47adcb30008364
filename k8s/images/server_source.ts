import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { bundleServer } from "./server_bundle.ts";

/** Where the server begins; its other files are in its own folder and in tunnel/. */
const ENTRY = new URL("../../server/main.ts", import.meta.url);
/** The bundle in the package on JSR, a module with the text. A checkout has none, and cannot use an old one by mistake. */
export const PUBLISHED = new URL("../../build/jsr/server.js", import.meta.url);
/** Bundles to keep, of 280 kB each: several checkouts and versions may take turns. */
const KEPT = 8;

/**
 * kurun's server as one JavaScript file. A compiled kurun contains it, and so does the package on JSR. In a checkout it is bundled once
 * (0.7 s) and kept until one of the source files changes.
 *
 * @param cacheFolder kurun's, or undefined to keep nothing; it is created if it is missing
 * @throws ImageError if it cannot be bundled
 */
export async function serverSource(cacheFolder: string | undefined, signal?: AbortSignal): Promise<string> {
  // tests/compile.ts puts it next to the files that it compiles.
  if (Deno.build.standalone) return await Deno.readTextFile(new URL("./server.js", import.meta.url));
  if (ENTRY.protocol !== "file:") return (await import(PUBLISHED.href)).default;
  const bundle = async () => new TextDecoder().decode(await bundleServer(ENTRY, signal ? { signal } : {}));
  if (cacheFolder === undefined) return await bundle();
  const folder = `${cacheFolder}/server`;
  const path = `${folder}/${sourceKey(ENTRY)}.js`;
  const kept = await Deno.readTextFile(path).catch(() => undefined);
  if (kept !== undefined) return kept;
  const source = await bundle();
  // A cache that cannot be written costs time only.
  await keep(folder, path, source).catch(() => {});
  return source;
}

/** A digest of everything that decides the bundle. Synchronous: it is on the way of each start, and takes a third of the time. */
function sourceKey(entry: URL): string {
  const hash = createHash("sha256").update(`${Deno.version.deno} ${entry}`);
  const files = [...sourceFiles(new URL("./", entry)), ...sourceFiles(new URL("../tunnel/", entry))].sort();
  const versions = fileURLToPath(new URL("../deno.json", entry));
  for (const path of [...files, versions]) hash.update(createHash("sha256").update(Deno.readFileSync(path)).digest());
  return hash.digest("hex").slice(0, 32);
}

/** The paths of the source files below a folder. */
function sourceFiles(folder: URL): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return sourceFiles(new URL(`${name}/`, folder));
    return name.endsWith(".ts") && !name.endsWith("_test.ts") ? [fileURLToPath(new URL(name, folder))] : [];
  });
}

/** Writes a bundle under its name once it is complete, since several kuruns may start at once, and removes the oldest ones. */
async function keep(folder: string, path: string, source: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const partial = await Deno.makeTempFile({ dir: folder, prefix: ".partial-" });
  try {
    await Deno.writeTextFile(partial, source);
    await Deno.rename(partial, path);
  } catch (error) {
    await Deno.remove(partial);
    throw error;
  }
  const bundles = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".js")) {
      bundles.push({ path: `${folder}/${name}`, made: (await Deno.stat(`${folder}/${name}`)).mtime?.getTime() ?? 0 });
    }
  }
  bundles.sort((a, b) => b.made - a.made);
  for (const old of bundles.slice(KEPT)) await Deno.remove(old.path);
}
