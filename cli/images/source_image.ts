import { basename, dirname } from "node:path";
import type { OciImage } from "../../k8s/images/oci_image.ts";
import { programImage } from "../../k8s/images/program_image.ts";
import type { Architecture } from "../../k8s/images/shared_libraries.ts";
import { buildSource } from "../builders/build_program.ts";
import { BuildError } from "../builders/build_error.ts";
import { buildContainerfile, findContainerfile } from "../builders/containerfile_builder.ts";
import { readRecord, recordPath, writeRecord } from "./image_record.ts";
import { findSource, type ProgramSource } from "../builders/program_source.ts";
import { inputsDigest, sourceInputs } from "./source_inputs.ts";

/** An image built from local source. */
export interface SourceImage {
  /** The last part of the image's name: the folder's name, or the script's without its ending. */
  readonly name: string;
  readonly image: OciImage;
  /** Whether it was built now; otherwise nothing has changed since an earlier build. */
  readonly built: boolean;
}

/** Options for {@linkcode sourceImage}. */
export interface SourceImageOptions {
  readonly architecture: Architecture;
  /** kurun's cache folder. */
  readonly cacheFolder: string;
  /** The folder that sources are named from in messages. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The digests of files that were read, shared by all sources of one run. */
  readonly digests: Map<string, Promise<string>>;
  /** Called with compilers' output and with notes before slow steps. */
  readonly stderr: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Makes the image of a source: a Go program, a script, or else a Dockerfile. If none of its inputs has changed, the image of the last build is
 * returned without starting a compiler.
 *
 * @param path absolute: a folder, a file of Go or a script, or a Dockerfile
 * @throws BuildError, what {@link programImage} throws, or the signal's reason
 */
export async function sourceImage(path: string, options: SourceImageOptions): Promise<SourceImage> {
  const { architecture, environment, digests, signal } = options;
  const folder = `${options.cacheFolder}/images`;
  const record = recordPath(folder, path, architecture);
  const name = imageName(path);
  const before = await readRecord(record);
  if (before?.inputs && await inputsDigest(before.inputs, environment, digests) === before.digest) {
    return { name, image: before.image, built: false };
  }
  const source = await find(path, options);
  if ("containerfile" in source) {
    const known = before && before.inputs === undefined ? { id: before.digest, image: before.image } : undefined;
    const { id, image } = await buildContainerfile(source.containerfile, { ...options, layerPath: record, before: known });
    const built = image !== known?.image;
    if (built) await writeRecord(record, { inputs: undefined, digest: id, image });
    return { name, image, built };
  }
  const inputs = await sourceInputs(source, options);
  // Computed before the build, so that a change during the build is noticed the next time.
  const digest = inputs && await inputsDigest(inputs, environment, digests);
  const image = await build(source, name, record, options);
  if (inputs && digest !== undefined) await writeRecord(record, { inputs, digest, image });
  signal.throwIfAborted();
  return { name, image, built: true };
}

async function find(path: string, options: SourceImageOptions): Promise<ProgramSource | { readonly containerfile: string }> {
  const containerfile = await findContainerfile(path);
  if (containerfile === path) return { containerfile };
  try {
    return await findSource([path], options.cwd);
  } catch (error) {
    // A program in the folder comes first: it builds faster, and without Docker.
    if (error instanceof BuildError && error.code === "no-main" && containerfile !== undefined) return { containerfile };
    throw error;
  }
}

async function build(source: ProgramSource, name: string, record: string, options: SourceImageOptions): Promise<OciImage> {
  const { architecture, cacheFolder, stderr, signal } = options;
  const program = await buildSource(source, { architecture, stderr, signal });
  try {
    return await programImage({
      ...program,
      name,
      architecture,
      denoFolder: `${cacheFolder}/image`,
      staticFolder: `${cacheFolder}/images/static`,
      // A new name, because another kurun may be sending the previous layer.
      layerPath: `${record}.${crypto.randomUUID()}.tar.gz`,
      progress: (line) => stderr(`${line}\n`),
      signal,
    });
  } finally {
    await program.dispose();
  }
}

/** The last part of an image's name for a source's path, by the rules of the distribution-spec. */
function imageName(path: string): string {
  const file = basename(path);
  const folder = basename(dirname(path));
  const program = /^(?:main|index)\.\w+$|\.go$|^(?:Dockerfile|Containerfile)/.test(file)
    ? folder
    : file.replace(/\.(?:[cm]?[jt]s|[jt]sx)$/, "");
  const name = program.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
  return name || "app";
}
