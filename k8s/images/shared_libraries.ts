import { ElfError, readElf } from "./elf.ts";

/** An instruction set that images are made for, in Go's and OCI's words. */
export type Architecture = "amd64" | "arm64";

/** A shared library and where it was found. */
export interface SharedLibrary {
  /** What programs ask for, such as `libc.so.6`. */
  readonly name: string;
  /** The file on this machine, links followed. */
  readonly path: string;
}

/** Shared libraries are on none of the paths where they were looked for. */
export class MissingLibraryError extends Error {
  override readonly name = "MissingLibraryError";
}

/**
 * Where distributions put glibc: Debian's multi-arch folders, Fedora's lib64, Arch's lib; the last is where Debian's, Ubuntu's
 * and Arch's packages for cross-compiling put another architecture's.
 */
const FOLDERS: Record<Architecture, readonly string[]> = {
  amd64: ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/x86_64-linux-gnu/lib"],
  arm64: ["/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/aarch64-linux-gnu/lib"],
};

/**
 * Loaded by name while a program runs, so no header tells of them: glibc before 2.34 looks host names up by these, and Go
 * programs built with cgo need the last. They come along where they are found.
 */
const LOADED_LATER = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"];

/**
 * Finds all shared libraries that a program needs, those that the libraries need included, and its dynamic loader, which
 * glibc's own libraries ask for by name. Sorted by name.
 *
 * @param options.folders looked into first: where another system's libraries were unpacked
 * @throws MissingLibraryError that names what is missing and how to get it
 */
export async function findSharedLibraries(
  program: string,
  architecture: Architecture,
  options: { folders?: readonly string[] } = {},
): Promise<SharedLibrary[]> {
  const folders = [...options.folders ?? [], ...FOLDERS[architecture]];
  const found = new Map<string, string>();
  const missing = new Set<string>();
  const { needed, interpreter } = await readElf(program);
  const wanted = [...needed, ...interpreter ? [interpreter.slice(interpreter.lastIndexOf("/") + 1)] : []];
  for (let name = wanted.shift(); name !== undefined; name = wanted.shift()) {
    if (found.has(name) || missing.has(name)) continue;
    const library = await findLibrary(name, architecture, folders);
    if (!library) {
      missing.add(name);
      continue;
    }
    found.set(name, library.path);
    wanted.push(...library.needed);
  }
  if (missing.size > 0) throw new MissingLibraryError(howToGet([...missing].sort(), architecture, folders));
  for (const name of LOADED_LATER) {
    const library = await findLibrary(name, architecture, folders);
    if (library) found.set(name, library.path);
  }
  return [...found].map(([name, path]) => ({ name, path })).sort((a, b) => a.name < b.name ? -1 : 1);
}

/** The first library of that name that is for the architecture: /usr/lib64 may hold the other one's. */
async function findLibrary(
  name: string,
  architecture: Architecture,
  folders: readonly string[],
): Promise<{ path: string; needed: readonly string[] } | undefined> {
  for (const folder of folders) {
    try {
      const path = await Deno.realPath(`${folder}/${name}`);
      const elf = await readElf(path);
      if (elf.architecture === architecture) return { path, needed: elf.needed };
    } catch (error) {
      // Not there, or a linker script or a 32-bit library of the same name: the next folder may have it.
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory || error instanceof ElfError)) throw error;
    }
  }
  return undefined;
}

function howToGet(missing: readonly string[], architecture: Architecture, folders: readonly string[]): string {
  const here = Deno.build.os === "linux" && Deno.build.arch === (architecture === "amd64" ? "x86_64" : "aarch64");
  const way = here
    ? "The image needs glibc, and this system seems to have another C library: make it on Debian, Ubuntu, Fedora or the like"
    : `They are glibc's and GCC's for ${architecture} Linux: on Debian or Ubuntu, apt-get install libc6-${architecture}-cross ` +
      `libgcc-s1-${architecture}-cross; elsewhere, copy them out of such a system and name their folder`;
  return `Cannot find ${missing.join(", ")} in ${folders.join(", ")}. ${way}`;
}
