import { currentFolder } from "../command/current_folder.ts";
import { temporaryFolder } from "../../k8s/images/temporary_folder.ts";
import { basename, dirname, join } from "node:path";
import { ImageError } from "../../k8s/images/image_error.ts";
import { type ImageLayer, writeLayerOfTar } from "../../k8s/images/image_layer.ts";
import { imageOfConfig, type OciImage } from "../../k8s/images/oci_image.ts";
import type { Architecture } from "../../k8s/images/shared_libraries.ts";
import { isFile } from "./find_file.ts";
import { runCompiler } from "./run_compiler.ts";

/** How to build an image. */
export interface ContainerfileOptions {
  readonly architecture: Architecture;
  /** The start of the names of the layers' files. */
  readonly layerPath: string;
  /** The result of the last build, with its layers. */
  readonly before: BuiltImage | undefined;
  /** The environment of the builder. */
  readonly environment: Readonly<Record<string, string>>;
  readonly stderr: (text: string) => void;
  readonly signal: AbortSignal;
}

/** An image and its ID in the builder. */
export interface BuiltImage {
  readonly id: string;
  readonly image: OciImage;
}

/** The builders in the order in which they are tried, and how each saves an image. */
const BUILDERS = [
  { program: "docker", save: (image: string, archive: string) => ["save", "--output", archive, image] },
  { program: "podman", save: (image: string, archive: string) => ["save", "--format", "docker-archive", "--output", archive, image] },
  { program: "buildah", save: (image: string, archive: string) => ["push", image, `docker-archive:${archive}`] },
] as const;

/** Finds a Dockerfile: the file itself, or the one in the folder. @returns undefined if there is none */
export async function findContainerfile(path: string): Promise<string | undefined> {
  const isNamedSo = (file: string) => /^(?:Dockerfile|Containerfile)(?:\.|$)|\.(?:Dockerfile|Containerfile)$/i.test(basename(file));
  for (const file of [...isNamedSo(path) ? [path] : [], join(path, "Dockerfile"), join(path, "Containerfile")]) {
    if (await isFile(file)) return file;
  }
  return undefined;
}

/**
 * Builds the image of a Dockerfile, with its folder as context, with docker, podman or buildah. They know themselves what has not changed.
 * @returns `before` itself if nothing has changed
 * @throws ImageError, or the signal's reason
 */
export async function buildContainerfile(file: string, options: ContainerfileOptions): Promise<BuiltImage> {
  const work = await temporaryFolder("kurun-containerfile-");
  try {
    const idFile = join(work, "id");
    const args = ["build", "--platform", `linux/${options.architecture}`, "--iidfile", idFile, "--file", file, dirname(file)];
    const builder = await firstThatRuns(args, file, options);
    const id = (await Deno.readTextFile(idFile)).trim();
    // Saving an image and compressing its layers takes far longer than finding that nothing has changed.
    if (id === options.before?.id) return options.before;
    const archive = join(work, "image.tar");
    await run(builder.program, builder.save(id, archive), options);
    try {
      await run("tar", ["-xf", archive, "-C", work], options);
      return { id, image: await readSaved(work, options) };
    } catch (cause) {
      options.signal.throwIfAborted();
      const why = (cause as Error).message.replaceAll(`${work}/`, "").replace(/\s+/g, " ");
      throw new ImageError(
        `the image of ${file} cannot be read from the archive that ${builder.program} saved: ${why}\n` +
          `Update ${builder.program}, or remove it from PATH so that kurun uses another of docker, podman and buildah.`,
        { cause },
      );
    }
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function firstThatRuns(args: string[], file: string, options: ContainerfileOptions): Promise<(typeof BUILDERS)[number]> {
  let silent = false;
  for (const builder of BUILDERS) {
    let answers = builder.program !== "docker";
    try {
      if (!answers) await run("docker", ["version"], { ...options, stderr: () => {} });
      answers = true;
      await run(builder.program, args, options);
      return builder;
    } catch (error) {
      if (!answers && error instanceof ImageError) silent = true;
      else if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  const why = silent ? "docker's daemon does not answer (see docker version) and the others are not in PATH" : "none of them is in PATH";
  throw new ImageError(`docker, podman or buildah is needed to build ${file}, but ${why}`);
}

/** @throws ImageError if it fails, Deno.errors.NotFound if there is no such program */
async function run(program: string, args: readonly string[], { environment, stderr, signal }: ContainerfileOptions): Promise<void> {
  // Other builders of buildx keep images where docker save does not find them.
  const env = program === "docker" ? { ...environment, BUILDX_BUILDER: "default" } : environment;
  const exitCode = await runCompiler({ program, args, folder: currentFolder(), env, stderr, signal });
  if (exitCode !== 0) throw new ImageError(`${program} ${args[0]} ended with exit code ${exitCode}`);
}

/** Reads a saved image by Docker's manifest.json, which all three write. Its layers are compressed like those that kurun makes. */
async function readSaved(folder: string, { architecture, layerPath, signal }: ContainerfileOptions): Promise<OciImage> {
  const manifest = JSON.parse(await Deno.readTextFile(join(folder, "manifest.json")));
  const { Config, Layers } = manifest?.[0] ?? {};
  if (typeof Config !== "string" || !Array.isArray(Layers) || !Layers.every((layer) => typeof layer === "string")) {
    throw new TypeError("its manifest.json does not name a config and layers");
  }
  const config = await Deno.readFile(join(folder, Config));
  await Deno.mkdir(dirname(layerPath), { recursive: true });
  const layers: ImageLayer[] = [];
  for (const [at, layer] of Layers.entries()) {
    const path = await Deno.realPath(join(folder, layer));
    layers.push(await writeLayerOfTar(`${layerPath}.${at}-${crypto.randomUUID()}.tar.gz`, path, { signal, level: 6 }));
  }
  return imageOfConfig({ os: "linux", architecture }, config, layers);
}
