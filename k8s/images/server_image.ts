import { type ImageArchive, type ImageContents, writeImageArchive } from "./image_archive.ts";
import type { ImageLayer } from "./image_layer.ts";
import { DENO_ENVIRONMENT, IMAGE_USER, SERVER_COMMAND, SERVER_PATH } from "./server_command.ts";
import type { Architecture } from "./shared_libraries.ts";

/** Options for {@link makeServerImage}. */
export interface ServerImageOptions {
  /** kurun's: the image's tag. */
  readonly version: string;
  readonly architecture: Architecture;
  /** The lower layer: Deno, from `denoLayer()`. */
  readonly system: ImageLayer;
  /** The server, bundled into one JavaScript file. */
  readonly serverJs: Uint8Array;
  /** The archive to write; its folder exists. */
  readonly output: string;
  readonly signal?: AbortSignal;
}

/** The name of the server's image of a version. */
export function serverImageReference(version: string): string {
  return `ghcr.io/kurun-dev/server:${version}`;
}

/**
 * Writes the archive of the server's image: Deno's layer, and the server in a layer of its own, because it changes often and is small.
 * @throws what {@link writeImageArchive} throws
 */
export async function makeServerImage(options: ServerImageOptions): Promise<ImageArchive> {
  const { version, architecture, system, serverJs, output, signal } = options;
  const contents: ImageContents = {
    reference: serverImageReference(version),
    platform: { os: "linux", architecture },
    config: {
      entrypoint: SERVER_COMMAND,
      env: DENO_ENVIRONMENT,
      user: `${IMAGE_USER}:${IMAGE_USER}`,
      workingDir: "/",
      labels: {
        "org.opencontainers.image.title": "kurun server",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "Apache-2.0",
      },
    },
    layers: [system, [{ type: "directory", path: "kurun" }, { type: "file", path: SERVER_PATH.slice(1), contents: serverJs }]],
  };
  return await writeImageArchive(output, contents, { signal });
}
