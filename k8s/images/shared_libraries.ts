import { ElfError, readElf } from "./elf.ts";
import { ImageError } from "./image_error.ts";

/** An instruction set that images are made for, as Go and OCI name it. */
export type Architecture = "amd64" | "arm64";

/** A shared library on this machine. */
export interface SharedLibrary {
  /** The name that programs ask for, such as `libc.so.6`. */
  readonly name: string;
  /** The file, with links resolved. */
  readonly path: string;
}

/**
 * Where distributions put glibc: Debian's multi-arch folders, Fedora's lib64, Arch's lib; the last folder is that of the packages for
 * cross-compiling in Debian, Ubuntu and Arch.
 */
const FOLDERS: Record<Architecture, readonly string[]> = {
  amd64: ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/x86_64-linux-gnu/lib"],
  arm64: ["/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/aarch64-linux-gnu/lib"],
};

/**
 * Loaded by name at run time, so no header names them: glibc before 2.34 looks up host names with these, and Go programs built with cgo
 * need the last. They are added if they are found.
 */
const LOADED_LATER = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"];

/**
 * Finds all shared libraries that a program needs, directly and indirectly, and its dynamic loader, which glibc's own libraries ask for by
 * name.
 *
 * @param folders where to look, the first match wins
 * @returns sorted by name
 * @throws ImageError that names what is missing and how to get it
 */
export async function findSharedLibraries(
  program: string,
  architecture: Architecture,
  folders: readonly string[] = FOLDERS[architecture],
): Promise<SharedLibrary[]> {
  const found = new Map<string, string>();
  const missing: string[] = [];
  const { needed, interpreter } = await readElf(program);
  const wanted = new Set([...needed, ...interpreter ? [interpreter.slice(interpreter.lastIndexOf("/") + 1)] : []]);
  // A Set also visits what is added meanwhile.
  for (const name of wanted) {
    const library = await findLibrary(name, architecture, folders);
    if (library) found.set(name, library.path);
    else missing.push(name);
    for (const next of library?.needed ?? []) wanted.add(next);
  }
  if (missing.length > 0) throw new ImageError(missingText(missing.sort(), architecture, folders));
  for (const name of LOADED_LATER) {
    const library = await findLibrary(name, architecture, folders);
    if (library) found.set(name, library.path);
  }
  return [...found].map(([name, path]) => ({ name, path })).sort((a, b) => a.name < b.name ? -1 : 1);
}

/** The first library with the name and the architecture: /usr/lib64 may hold another architecture's. */
async function findLibrary(name: string, architecture: Architecture, folders: readonly string[]) {
  for (const folder of folders) {
    try {
      const path = await Deno.realPath(`${folder}/${name}`);
      const elf = await readElf(path);
      if (elf.architecture === architecture) return { path, needed: elf.needed };
    } catch (error) {
      // Missing, or a linker script or a 32-bit library with the same name: the next folder may have it.
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory || error instanceof ElfError)) throw error;
    }
  }
  return undefined;
}

function missingText(missing: readonly string[], architecture: Architecture, folders: readonly string[]): string {
  const failed = `the image needs ${missing.join(", ")} for ${architecture} Linux, not found in ${folders.join(", ")}`;
  if (Deno.build.os !== "linux") {
    return `${failed}\nImages that contain Deno can only be made on Linux with glibc (Debian, Ubuntu, Fedora, Arch), or in a container of it.`;
  }
  if (Deno.build.arch === (architecture === "amd64" ? "x86_64" : "aarch64")) {
    return `${failed}\nThis system seems to have another C library than glibc. Make the image on Debian, Ubuntu, Fedora or Arch, or in a container of it.`;
  }
  return `${failed}\nOn Debian or Ubuntu: apt-get install libc6-${architecture}-cross libgcc-s1-${architecture}-cross`;
}
