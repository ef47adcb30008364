/**
 * The archives of a release, and the list of their checksums. An archive has the executable, the license, which krew wants in it, and the man
 * pages, except on Windows. The same files give the same bytes.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type Zippable, zipSync } from "fflate";
import { tar, type TarEntry } from "../k8s/images/tar.ts";
import { archiveName, executableName, type ReleasedFile, type Target } from "./targets.ts";

/** The first time that a zip archive can contain. A real one would make each archive differ. */
const ZIP_EPOCH = new Date(1980, 0, 1);
/** In the upper half of a zip entry's attributes, as Unix has it. */
const EXECUTABLE = 0o100755 << 16;
/** Where the man pages are, in the source and in an archive. */
const PAGES = "man";

/**
 * Packs an executable.
 *
 * @param executable its path
 * @param folder where the archive goes
 * @returns the archive's path
 */
export async function writeArchive(target: Target, executable: string, folder: string): Promise<string> {
  const name = executableName(target);
  const license = await Deno.readFile(new URL("../LICENSE", import.meta.url));
  const path = `${folder}/${archiveName(target)}`;
  if (path.endsWith(".zip")) {
    const files: Zippable = { [name]: [await Deno.readFile(executable), { os: 3, attrs: EXECUTABLE }], LICENSE: license };
    await Deno.writeFile(path, zipSync(files, { mtime: ZIP_EPOCH }));
    return path;
  }
  const parts = await Array.fromAsync(tar([
    { type: "file", path: name, mode: 0o755, contents: { copyOf: executable } },
    { type: "file", path: "LICENSE", contents: license },
    ...await manPages(),
  ]));
  await Deno.writeFile(path, gzipSync(await new Blob(parts as Uint8Array<ArrayBuffer>[]).bytes()));
  return path;
}

async function manPages(): Promise<TarEntry[]> {
  const folder = new URL(`../${PAGES}/`, import.meta.url);
  const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  return await Promise.all(
    names.map(async (name) => ({ type: "file", path: `${PAGES}/${name}`, contents: await Deno.readFile(new URL(name, folder)) }) as const),
  );
}

/** A file of the release with its checksum. */
export async function releasedFile(folder: string, name: string): Promise<ReleasedFile> {
  return { name, sha256: createHash("sha256").update(await Deno.readFile(`${folder}/${name}`)).digest("hex") };
}

/** The text of checksums.txt, in the format of sha256sum. */
export function checksumList(files: readonly ReleasedFile[]): string {
  return files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
}
