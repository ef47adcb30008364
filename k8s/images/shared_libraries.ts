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

interface System {
  /** The e_machine of its ELF files. */
  readonly machine: number;
  /** The dynamic loader, and a library that only this architecture's Deno needs. */
  readonly own: readonly string[];
  /** Debian's name for the architecture. */
  readonly triplet: string;
}

const SYSTEMS: Record<Architecture, System> = {
  amd64: { machine: 62, own: ["ld-linux-x86-64.so.2", "librt.so.1"], triplet: "x86_64-linux-gnu" },
  arm64: { machine: 183, own: ["ld-linux-aarch64.so.1"], triplet: "aarch64-linux-gnu" },
};

/** What the headers of the image's Deno name (DT_NEEDED), and all that these libraries need. */
const NEEDED = ["libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0"];

/**
 * Loaded by name at run time: glibc before 2.34 looks up host names with these, and Go programs built with cgo need the last. They are added
 * if they are found.
 */
const LOADED_LATER = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"];

/** Where distributions put glibc: Debian, Fedora, Arch, and packages for cross-compiling in Debian, Ubuntu and Arch. */
function systemFolders(triplet: string): readonly string[] {
  return [`/lib/${triplet}`, `/usr/lib/${triplet}`, "/lib64", "/usr/lib64", "/lib", "/usr/lib", `/usr/${triplet}/lib`];
}

/**
 * Finds the shared libraries of the image's Deno, and its dynamic loader.
 * @param folders where to look, the first match wins
 * @returns sorted by name
 * @throws ImageError that names what is missing and how to get it
 */
export async function findSharedLibraries(
  architecture: Architecture,
  folders: readonly string[] = systemFolders(SYSTEMS[architecture].triplet),
): Promise<SharedLibrary[]> {
  const { own, machine } = SYSTEMS[architecture];
  const needed = [...own, ...NEEDED].sort();
  const paths = new Map<string, string>();
  for (const name of [...needed, ...LOADED_LATER]) {
    for (const folder of folders) {
      const path = await Deno.realPath(`${folder}/${name}`).catch(() => undefined);
      if (path !== undefined && await isFor(machine, path) && !paths.has(name)) paths.set(name, path);
    }
  }
  const missing = needed.filter((name) => !paths.has(name));
  if (missing.length > 0) throw new ImageError(missingText(missing, architecture, folders));
  return [...paths].map(([name, path]) => ({ name, path })).sort((a, b) => a.name < b.name ? -1 : 1);
}

/** Whether a file is a 64-bit little-endian ELF file for a machine. A linker script or another architecture's library may have its name. */
async function isFor(machine: number, path: string): Promise<boolean> {
  using file = await Deno.open(path);
  const header = new DataView(new ArrayBuffer(20));
  await file.read(new Uint8Array(header.buffer));
  return header.getUint32(0) === 0x7f454c46 && header.getUint16(4) === 0x0201 && header.getUint16(18, true) === machine;
}

function missingText(missing: readonly string[], architecture: Architecture, folders: readonly string[]): string {
  const failed = `the image needs ${missing.join(", ")} for ${architecture} Linux, which were not found in ${folders.join(", ")}`;
  if (Deno.build.os !== "linux") {
    return `${failed}\nImages that contain Deno can only be made on Linux with glibc, or in a container that has it: Debian, Ubuntu, Fedora or Arch.`;
  }
  if (Deno.build.arch === (architecture === "amd64" ? "x86_64" : "aarch64")) {
    return `${failed}\nThis system does not seem to use glibc. Make the image on Debian, Ubuntu, Fedora or Arch, or in a container of one of them.`;
  }
  return `${failed}\nOn Debian or Ubuntu: apt-get install libc6-${architecture}-cross libgcc-s1-${architecture}-cross`;
}
