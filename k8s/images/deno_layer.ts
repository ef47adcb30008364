import type { ImageLayer } from "./image_layer.ts";
import { imageDeno } from "./image_deno.ts";
import { cachedLayer } from "./layer_cache.ts";
import { type Architecture, findSharedLibraries, type SharedLibrary } from "./shared_libraries.ts";
import type { TarEntry } from "./tar.ts";

/** Whom images' programs run as: nobody's number elsewhere, and the one that distroless images have for this. */
export const IMAGE_USER = 65532;

/**
 * NO_COLOR, because Deno 2.9 colours its errors in logs too. DENO_DIR and HOME, so that what wants to write does so in the one
 * place that may be writable; nothing needs to. DENO_USE_CGROUPS, so that programs see the Pod's memory, not the node's.
 */
export const DENO_ENVIRONMENT = {
  PATH: "/usr/bin",
  HOME: "/tmp",
  DENO_DIR: "/tmp/deno",
  DENO_NO_UPDATE_CHECK: "1",
  DENO_USE_CGROUPS: "1",
  NO_COLOR: "1",
} as const;

/** How to make the layer. */
export interface DenoLayerOptions {
  /** Where Deno and its packed layer are kept between runs, up to 400 MB. */
  readonly cacheFolder: string;
  /** A Deno executable to take, instead of the version that the server is tested with. */
  readonly deno?: string;
  /** Folders to look for shared libraries in before the system's own. */
  readonly libraryFolders?: readonly string[];
  /** Called with a line of text before each step that takes its time. */
  readonly progress: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * The layer with Deno and the system libraries that it needs, below kurun's server and below users' scripts alike, so that a node has it
 * once. No shell, no package manager, no certificates of this machine: Deno has its own, and time zones too.
 *
 * @throws ImageDenoError where Deno cannot be had, MissingLibraryError where its libraries cannot
 */
export async function denoLayer(architecture: Architecture, options: DenoLayerOptions): Promise<ImageLayer> {
  const { cacheFolder, progress } = options;
  const cancel = { ...options.signal && { signal: options.signal } };
  await Deno.mkdir(cacheFolder, { recursive: true });
  const deno = await imageDeno(architecture, {
    cacheFolder,
    progress,
    ...cancel,
    ...options.deno !== undefined && { executable: options.deno },
  });
  const libraries = await findSharedLibraries(deno, architecture, { folders: options.libraryFolders ?? [] });
  return await cachedLayer(cacheFolder, systemEntries(deno, libraries), {
    ...cancel,
    onPack: () => progress(`packing ${deno} and ${libraries.length} libraries; the next time they come from ${cacheFolder}`),
  });
}

/**
 * The files below the programs. All libraries lie in one folder, and every path where one distribution's dynamic loader or
 * another's looks for them leads there.
 */
function systemEntries(deno: string, libraries: readonly SharedLibrary[]): TarEntry[] {
  const text = (value: string) => new TextEncoder().encode(value);
  return [
    { type: "directory", path: "etc" },
    { type: "file", path: "etc/group", contents: text(`root:x:0:\nkurun:x:${IMAGE_USER}:\n`) },
    { type: "file", path: "etc/nsswitch.conf", contents: text("hosts: files dns\n") },
    {
      type: "file",
      path: "etc/passwd",
      contents: text(`root:x:0:0:root:/root:/sbin/nologin\nkurun:x:${IMAGE_USER}:${IMAGE_USER}:kurun:/tmp:/sbin/nologin\n`),
    },
    { type: "symlink", path: "lib", target: "usr/lib" },
    { type: "symlink", path: "lib64", target: "usr/lib" },
    { type: "directory", path: "tmp", mode: 0o1777 },
    { type: "directory", path: "usr" },
    { type: "directory", path: "usr/bin" },
    { type: "file", path: "usr/bin/deno", mode: 0o755, contents: { copyOf: deno } },
    { type: "directory", path: "usr/lib" },
    { type: "symlink", path: "usr/lib/aarch64-linux-gnu", target: "." },
    ...libraries.map(({ name, path }): TarEntry => ({
      type: "file",
      path: `usr/lib/${name}`,
      mode: 0o755,
      contents: { copyOf: path },
    })),
    { type: "symlink", path: "usr/lib/x86_64-linux-gnu", target: "." },
    { type: "symlink", path: "usr/lib64", target: "lib" },
  ];
}
