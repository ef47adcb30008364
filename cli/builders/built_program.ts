import { temporaryFolder } from "../../k8s/images/temporary_folder.ts";
import { fileDigest } from "../../k8s/images/image_layer.ts";

/** What a builder made of the user's source: one file on this machine that the Pod can run. */
export interface BuiltProgram {
  /** "executable": a static binary for Linux; "script": one ES module that the image's Deno runs as its main module. */
  readonly kind: "executable" | "script";
  /** The file on this machine; it lies in a temporary folder. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Of the file, as hex digits. */
  readonly sha256: string;
  /** Of a script: the unstable features of Deno that it is run with, by their names in Deno's flags. */
  readonly unstable: readonly string[];
  /** Removes the file; a second call does nothing. */
  dispose(): Promise<void>;
}

/**
 * Makes a temporary folder, lets a builder write its file there, and measures that. The folder stays until the program is disposed of,
 * or is removed at once where the builder throws.
 *
 * @param unstable see {@link BuiltProgram.unstable}
 * @param write gets the folder, returns the path of the file that it wrote there
 * @throws what `write` throws
 */
export async function builtProgram(
  { kind, unstable }: Pick<BuiltProgram, "kind" | "unstable">,
  write: (folder: string) => Promise<string>,
): Promise<BuiltProgram> {
  const folder = await temporaryFolder("kurun-build-");
  const dispose = () => removeFolder(folder);
  try {
    const path = await write(folder);
    const [{ size }, digest] = await Promise.all([Deno.stat(path), fileDigest(path)]);
    return { kind, unstable, path, size, sha256: digest.slice("sha256:".length), dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function removeFolder(folder: string): Promise<void> {
  // A compiler that was stopped may have left a child that still writes into the folder while it is being removed.
  for (let tries = 3;; tries--) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (tries === 0) throw error;
    }
  }
}
