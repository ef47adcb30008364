import { dirname } from "node:path";
import { DENO_ENVIRONMENT, denoLayer, IMAGE_USER } from "./deno_layer.ts";
import { type ImageArchive, writeImageArchive } from "./image_archive.ts";
import type { ImageConfig } from "./oci_image.ts";
import { SERVER_COMMAND, SERVER_PATH } from "./server_command.ts";
import type { Architecture } from "./shared_libraries.ts";
import type { TarEntry } from "./tar.ts";

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
  const { architecture, version } = options;
  const progress = options.progress ?? (() => {});
  const cancel = { ...options.signal && { signal: options.signal } };
  const output = options.output ?? `build/kurun-server-${version}-linux-${architecture}.tar`;
  await Deno.mkdir(dirname(output), { recursive: true });

  const system = await denoLayer(architecture, { ...options, progress });
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
    entrypoint: SERVER_COMMAND,
    env: DENO_ENVIRONMENT,
    user: `${IMAGE_USER}:${IMAGE_USER}`,
    workingDir: "/",
    labels: {
      "org.opencontainers.image.title": "kurun server",
      "org.opencontainers.image.version": version,
      "org.opencontainers.image.licenses": "Apache-2.0",
    },
  };
}

function serverEntries(serverJs: Uint8Array): TarEntry[] {
  return [
    { type: "directory", path: "kurun" },
    { type: "file", path: SERVER_PATH.slice(1), contents: serverJs },
  ];
}
