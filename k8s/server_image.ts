import { dirname } from "node:path";
import { type ImageArchive, type ImageConfig, writeImageArchive } from "./image_archive.ts";
import { imageDeno } from "./image_deno.ts";
import { cachedLayer } from "./layer_cache.ts";
import { type Architecture, findSharedLibraries, type SharedLibrary } from "./shared_libraries.ts";
import type { TarEntry } from "./tar.ts";

/** Whom the server runs as: nobody's number elsewhere, and the one that distroless images have for this. */
const USER = 65532;
const SERVER_PATH = "kurun/server.js";

/**
 * How Deno starts the server. The heap's limits keep the Pod at 140 MB under load instead of 190, and no slower. The code
 * cache stays off since there is nowhere to keep it: looking for a place costs 10 ms of 75.
 */
const DENO_ARGS = [
  "run",
  "--v8-flags=--max-old-space-size=48,--max-semi-space-size=4",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--no-code-cache",
  "--no-prompt",
] as const;

/**
 * All that the server may do: serve, connect to its own Service to see whether callers can, read its Secret, and let ws look at its
 * two switches.
 */
const DENO_PERMISSIONS = [
  "--allow-net",
  "--allow-read=/kurun",
  "--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE",
] as const;

/**
 * NO_COLOR, because Deno 2.9 colours its errors in logs too. DENO_DIR and HOME, so that what wants to write does so in the one
 * place that may be writable; nothing needs to. DENO_USE_CGROUPS, so that programs see the Pod's memory, not the node's.
 */
const ENVIRONMENT = {
  PATH: "/usr/bin",
  HOME: "/tmp",
  DENO_DIR: "/tmp/deno",
  DENO_NO_UPDATE_CHECK: "1",
  DENO_USE_CGROUPS: "1",
  NO_COLOR: "1",
} as const;

/** What {@link makeServerImage} is told. */
export interface ServerImageOptions {
  /** kurun's version: the image's tag. */
  readonly version: string;
  readonly architecture: Architecture;
  /** The server, all of it in one JavaScript file. */
  readonly serverJs: Uint8Array;
  /** The archive to write. @default `build/kurun-server-VERSION-linux-ARCH.tar` */
  readonly output?: string;
  /** Where Deno and its packed layer are kept between runs, up to 400 MB. */
  readonly cacheFolder: string;
  /** A Deno executable to take, instead of the version that the server is tested with. */
  readonly deno?: string;
  /** Folders to look for shared libraries in before the system's own. */
  readonly libraryFolders?: readonly string[];
  /** Called with a line of text before each step that takes its time. */
  readonly progress?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** What {@link makeServerImage} made. */
export interface ServerImage extends ImageArchive {
  readonly reference: string;
}

/** The name under which the server's image of a version is known. */
export function serverImageReference(version: string): string {
  return `ghcr.io/kurun-dev/server:${version}`;
}

/**
 * Makes the archive of the server's image: Deno with the system libraries that it needs, and the server in a layer of its
 * own, since it changes often and weighs little. No shell, no package manager, no certificates of this machine.
 *
 * @throws ImageDenoError where Deno cannot be had, MissingLibraryError where its libraries cannot
 * @throws what {@link writeImageArchive} throws
 */
export async function makeServerImage(options: ServerImageOptions): Promise<ServerImage> {
  const { architecture, version, cacheFolder } = options;
  const progress = options.progress ?? (() => {});
  const cancel = { ...options.signal && { signal: options.signal } };
  const output = options.output ?? `build/kurun-server-${version}-linux-${architecture}.tar`;
  await Deno.mkdir(cacheFolder, { recursive: true });
  await Deno.mkdir(dirname(output), { recursive: true });

  const deno = await imageDeno(architecture, {
    cacheFolder,
    progress,
    ...cancel,
    ...options.deno !== undefined && { executable: options.deno },
  });
  const libraries = await findSharedLibraries(deno, architecture, { folders: options.libraryFolders ?? [] });
  const system = await cachedLayer(cacheFolder, systemEntries(deno, libraries), {
    ...cancel,
    onPack: () => progress(`packing ${deno} and ${libraries.length} libraries; the next time they come from ${cacheFolder}`),
  });
  const reference = serverImageReference(version);
  progress(`writing ${output}`);
  const archive = await writeImageArchive(output, {
    reference,
    platform: { os: "linux", architecture },
    config: serverConfig(version),
    layers: [system, serverEntries(options.serverJs)],
  }, cancel);
  return { ...archive, reference };
}

function serverConfig(version: string): ImageConfig {
  return {
    entrypoint: ["/usr/bin/deno", ...DENO_ARGS, ...DENO_PERMISSIONS, `/${SERVER_PATH}`],
    env: ENVIRONMENT,
    user: `${USER}:${USER}`,
    workingDir: "/",
    labels: {
      "org.opencontainers.image.title": "kurun server",
      "org.opencontainers.image.version": version,
      "org.opencontainers.image.licenses": "Apache-2.0",
    },
  };
}

/**
 * The files below the server. All libraries lie in one folder, and every path where one distribution's dynamic loader or
 * another's looks for them leads there.
 */
function systemEntries(deno: string, libraries: readonly SharedLibrary[]): TarEntry[] {
  const text = (value: string) => new TextEncoder().encode(value);
  return [
    { type: "directory", path: "etc" },
    { type: "file", path: "etc/group", contents: text(`root:x:0:\nkurun:x:${USER}:\n`) },
    { type: "file", path: "etc/nsswitch.conf", contents: text("hosts: files dns\n") },
    {
      type: "file",
      path: "etc/passwd",
      contents: text(`root:x:0:0:root:/root:/sbin/nologin\nkurun:x:${USER}:${USER}:kurun:/tmp:/sbin/nologin\n`),
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

function serverEntries(serverJs: Uint8Array): TarEntry[] {
  return [
    { type: "directory", path: "kurun" },
    { type: "file", path: SERVER_PATH, contents: serverJs },
  ];
}
