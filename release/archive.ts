/** The archives of a release: the executable and the license, which krew wants in it. The same files give the same bytes. @module */
import { gzipSync } from "node:zlib";
import { type Zippable, zipSync } from "fflate";
import { tar } from "../k8s/images/tar.ts";
import { archiveName, executableName, type Target } from "./targets.ts";

/** The first time that a zip archive can contain. A real one would make each archive differ. */
const ZIP_EPOCH = new Date(1980, 0, 1);
/** In the upper half of a zip entry's attributes, as Unix has it. */
const EXECUTABLE = 0o100755 << 16;

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
  ]));
  await Deno.writeFile(path, gzipSync(await new Blob(parts as Uint8Array<ArrayBuffer>[]).bytes()));
  return path;
}
