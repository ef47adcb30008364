import { temporaryFolder } from "../../k8s/images/temporary_folder.ts";
import { fileDigest } from "../../k8s/images/file_digest.ts";

/** How to build a program. */
export interface BuildOptions {
  /** The node's, in Go's spelling (amd64, arm64). Scripts run on all and do not wait for it. */
  readonly architecture: string | PromiseLike<string>;
  /** Gets the compiler's messages as they come. */
  readonly stderr: (text: string) => void;
  /** Stops the compiler and removes its temporary files. */
  readonly signal: AbortSignal;
  /** Added to kurun's environment for the compiler; for tests. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the Deno that runs kurun may bundle; that of a compiled kurun cannot. For tests. */
  readonly ownDeno?: boolean;
}

/** A program that was built: one file on this machine that the Pod can run. */
export interface BuiltProgram {
  /** "executable": a static binary for Linux; "script": one ES module for the image's Deno. */
  readonly kind: "executable" | "script";
  /** The file, in a temporary folder. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** The file's digest, as hex digits. */
  readonly sha256: string;
  /** The unstable features of Deno that a script needs, by their names in Deno's flags: `kv` for `--unstable-kv`. */
  readonly unstable: readonly string[];
  /** Removes the file; a second call does nothing. */
  dispose(): Promise<void>;
}

/**
 * Lets a builder write a file into a temporary folder, which is removed with the program, or at once if the builder throws.
 * @param write gets the folder and returns the path of the file that it wrote
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
  // A child of a compiler that was stopped may still write into the folder while it is removed.
  for (let tries = 3;; tries--) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (tries === 0) throw error;
    }
  }
}
