import { temporaryFolder } from "../../k8s/images/temporary_folder.ts";
import { basename, dirname, join } from "node:path";
import { type ImageLayer, writeLayerOfTar } from "../../k8s/images/image_layer.ts";
import { imageOfConfig, type OciImage } from "../../k8s/images/oci_image.ts";
import type { Architecture } from "../../k8s/images/shared_libraries.ts";
import { runCompiler } from "./run_compiler.ts";

/** An image could not be built of a Dockerfile; the message says why. */
export class ContainerfileError extends Error {
  override readonly name = "ContainerfileError";
}

/** How to build one. */
export interface ContainerfileOptions {
  readonly architecture: Architecture;
  /** How names of files with its layers begin. */
  readonly layerPath: string;
  /** What was built of it the last time, with its layers. */
  readonly before: BuiltImage | undefined;
  /** The environment of what builds it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly stderr: (text: string) => void;
  readonly signal: AbortSignal;
}

/** An image, and its ID at what built it. */
export interface BuiltImage {
  readonly id: string;
  readonly image: OciImage;
}

/** What builds images of Dockerfiles, in the order in which they are looked for; how each saves what it built. */
const BUILDERS = [
  { program: "docker", save: (image: string, archive: string) => ["save", "--output", archive, image] },
  { program: "podman", save: (image: string, archive: string) => ["save", "--format", "docker-archive", "--output", archive, image] },
  { program: "buildah", save: (image: string, archive: string) => ["push", image, `docker-archive:${archive}`] },
] as const;

/** Docker's manifest.json, in archives of all three. */
interface SavedImage {
  readonly Config: string;
  readonly Layers: readonly string[];
}

/**
 * The Dockerfile that a path means: the file itself, or the one in the folder.
 * @returns undefined where there is none
 */
export async function findContainerfile(path: string): Promise<string | undefined> {
  const isNamedSo = (file: string) => /^(?:Dockerfile|Containerfile)(?:\.|$)|\.(?:Dockerfile|Containerfile)$/i.test(basename(file));
  for (const file of [...isNamedSo(path) ? [path] : [], join(path, "Dockerfile"), join(path, "Containerfile")]) {
    if (await Deno.stat(file).then((stat) => stat.isFile, () => false)) return file;
  }
  return undefined;
}

/**
 * Builds the image of a Dockerfile with its folder as context, by docker, podman or buildah, whichever is there; these know by themselves
 * what has not changed. Tried with stand-ins for the three alone.
 *
 * @returns the very image of before where nothing has changed
 * @throws ContainerfileError, or the signal's reason
 */
export async function buildContainerfile(file: string, options: ContainerfileOptions): Promise<BuiltImage> {
  const work = await temporaryFolder("kurun-containerfile-");
  try {
    const idFile = join(work, "id");
    const args = ["build", "--platform", `linux/${options.architecture}`, "--iidfile", idFile, "--file", file, dirname(file)];
    const builder = await firstThatRuns(args, file, options);
    const id = (await Deno.readTextFile(idFile)).trim();
    // To save it and to compress its layers takes far longer than to find that nothing has changed.
    if (id === options.before?.id) return options.before;
    const archive = join(work, "image.tar");
    await run(builder.program, builder.save(id, archive), options);
    await run("tar", ["-xf", archive, "-C", work], options);
    return { id, image: await readSaved(work, options) };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function firstThatRuns(args: string[], file: string, options: ContainerfileOptions): Promise<(typeof BUILDERS)[number]> {
  let silent = false;
  for (const builder of BUILDERS) {
    try {
      if (builder.program === "docker" && await isSilent(options)) {
        silent = true;
        continue;
      }
      await run(builder.program, args, options);
      return builder;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  const why = silent ? "docker's daemon does not answer (see docker version), and the others are not in PATH" : "none of them is in PATH";
  throw new ContainerfileError(`${file} is built by docker, podman or buildah, and ${why}`);
}

/** Whether docker's daemon does not answer: its client alone builds nothing. */
async function isSilent(options: ContainerfileOptions): Promise<boolean> {
  return await run("docker", ["version"], { ...options, stderr: () => {} }).then(() => false, (error) => {
    if (error instanceof ContainerfileError) return true;
    throw error;
  });
}

/** @throws ContainerfileError where it fails, Deno.errors.NotFound where there is none */
async function run(program: string, args: readonly string[], { environment, stderr, signal }: ContainerfileOptions): Promise<void> {
  // Another builder of buildx keeps its images to itself, where docker save does not find them.
  const env = program === "docker" ? { ...environment, BUILDX_BUILDER: "default" } : environment;
  const exitCode = await runCompiler({ program, args, folder: Deno.cwd(), env, stderr, signal });
  if (exitCode !== 0) throw new ContainerfileError(`${program} ${args[0]} ended with exit code ${exitCode}`);
}

/** Makes an image of what was saved; layers are compressed as ours are. */
async function readSaved(folder: string, { architecture, layerPath, signal }: ContainerfileOptions): Promise<OciImage> {
  const [saved] = JSON.parse(await Deno.readTextFile(join(folder, "manifest.json"))) as [SavedImage];
  const config = await Deno.readFile(join(folder, saved.Config));
  await Deno.mkdir(dirname(layerPath), { recursive: true });
  const layers: ImageLayer[] = [];
  for (const [at, layer] of saved.Layers.entries()) {
    layers.push(
      await writeLayerOfTar(`${layerPath}.${at}-${crypto.randomUUID()}.tar.gz`, await Deno.realPath(join(folder, layer)), {
        signal,
        level: 6,
      }),
    );
  }
  return imageOfConfig({ os: "linux", architecture }, config, layers);
}
