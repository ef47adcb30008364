import type { ImageLayer } from "./image_layer.ts";
import { imageDeno, type ImageDenoOptions } from "./image_deno.ts";
import { cachedLayer } from "./layer_cache.ts";
import { IMAGE_USER } from "./server_command.ts";
import { type Architecture, findSharedLibraries, type SharedLibrary } from "./shared_libraries.ts";
import type { TarEntry } from "./tar.ts";

/**
 * The layer with Deno and the system libraries that it needs. kurun's server and users' scripts share it, so a node stores it once. It has
 * no shell, no package manager and no certificates of this machine; Deno brings certificates and time zones.
 *
 * @param options.cacheFolder keeps Deno and its packed layer between runs, up to 400 MB
 * @throws ImageError if Deno or a library cannot be found
 */
export async function denoLayer(architecture: Architecture, options: ImageDenoOptions): Promise<ImageLayer> {
  const { cacheFolder, progress } = options;
  await Deno.mkdir(cacheFolder, { recursive: true });
  const deno = await imageDeno(architecture, options);
  const libraries = await findSharedLibraries(architecture);
  return await cachedLayer(cacheFolder, systemEntries(deno, libraries), {
    ...options,
    onPack: () => progress(`Packing ${deno} and ${libraries.length} libraries; the layer is cached in ${cacheFolder}`),
  });
}

/** /etc with {@link IMAGE_USER} under a name, and the order of name resolution. */
export function userEntries(name: string): TarEntry[] {
  const text = (value: string) => new TextEncoder().encode(value);
  const passwd = `root:x:0:0:root:/root:/sbin/nologin\n${name}:x:${IMAGE_USER}:${IMAGE_USER}:${name}:/tmp:/sbin/nologin\n`;
  return [
    { type: "directory", path: "etc" },
    { type: "file", path: "etc/group", contents: text(`root:x:0:\n${name}:x:${IMAGE_USER}:\n`) },
    { type: "file", path: "etc/nsswitch.conf", contents: text("hosts: files dns\n") },
    { type: "file", path: "etc/passwd", contents: text(passwd) },
  ];
}

/**
 * The files of the layer. All libraries are in one folder, and every path that a distribution's dynamic loader searches leads there.
 * @param deno the executable's path on this machine
 */
export function systemEntries(deno: string, libraries: readonly SharedLibrary[]): TarEntry[] {
  return [
    ...userEntries("kurun"),
    { type: "symlink", path: "lib", target: "usr/lib" },
    { type: "symlink", path: "lib64", target: "usr/lib" },
    { type: "directory", path: "tmp", mode: 0o1777 },
    { type: "directory", path: "usr" },
    { type: "directory", path: "usr/bin" },
    { type: "file", path: "usr/bin/deno", mode: 0o755, contents: { copyOf: deno } },
    { type: "directory", path: "usr/lib" },
    { type: "symlink", path: "usr/lib/aarch64-linux-gnu", target: "." },
    ...libraries.map(({ name, path }) => ({ type: "file", path: `usr/lib/${name}`, mode: 0o755, contents: { copyOf: path } }) as const),
    { type: "symlink", path: "usr/lib/x86_64-linux-gnu", target: "." },
    { type: "symlink", path: "usr/lib64", target: "lib" },
  ];
}
