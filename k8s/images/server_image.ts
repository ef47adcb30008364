import { type ImageArchive, type ImageContents, writeImageArchive } from "./image_archive.ts";
import type { ImageLayer } from "./image_layer.ts";
import { serverImageReference } from "./server_image_name.ts";
import { DENO_ENVIRONMENT, DENO_PATH, IMAGE_USER, SERVER_PATH, serverArgs } from "./server_command.ts";
import type { Architecture } from "./shared_libraries.ts";

/** Options for {@link makeServerImage}. */
export interface ServerImageOptions {
  /** kurun's version, which is the image's tag. */
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

/**
 * Writes the archive of kurun's own image: Deno's layer, and the server in a separate layer, because it is small and changes often.
 * @throws what {@link writeImageArchive} throws
 */
export async function makeServerImage(options: ServerImageOptions): Promise<ImageArchive> {
  const { version, architecture, system, serverJs, output, signal } = options;
  const contents: ImageContents = {
    reference: serverImageReference(version),
    platform: { os: "linux", architecture },
    config: {
      // The Pod passes all of Deno's arguments, as it does for denoland/deno's images.
      entrypoint: [DENO_PATH],
      cmd: serverArgs(SERVER_PATH),
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
