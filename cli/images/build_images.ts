import { relative } from "node:path";
import type { Architecture } from "../../k8s/images/shared_libraries.ts";
import { BuildError } from "../builders/build_error.ts";
import { megabytes } from "./delivery.ts";
import { type SourceImage, sourceImage } from "./source_image.ts";

/** A source that manifests refer to. */
export interface SourceReference {
  /** Absolute. */
  readonly path: string;
  /** Where it is used, for messages. */
  readonly what: string;
}

/** A source that could not be built. */
export interface FailedSource {
  /** All that refer to it. */
  readonly sources: readonly SourceReference[];
  readonly error: unknown;
  /** What the compiler said. */
  readonly said: string;
}

/** Sources could not be built: all of them, in the order of their first reference. */
export class BuildErrors extends Error {
  override readonly name = "BuildErrors";
  readonly failed: readonly FailedSource[];

  constructor(failed: readonly FailedSource[]) {
    super(`cannot build ${failed.map(({ sources }) => sources[0]?.path).join(", ")}`);
    this.failed = failed;
  }

  /** Whether it is what was given that must change, and not the source or this machine. */
  get usage(): boolean {
    return this.failed.every(({ error }) => error instanceof BuildError && error.usage);
  }
}

/** How {@linkcode buildImages} builds. */
export interface BuildImagesOptions {
  readonly architecture: Architecture;
  /** How many at a time. */
  readonly jobs: number;
  readonly cacheFolder: string;
  /** The folder that messages name sources from. */
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Milliseconds. */
  now(): number;
  readonly stderr: (text: string) => void;
  readonly signal: AbortSignal;
}

/** What takes longer says that it is under way; Go compiles its whole library the first time. */
const PATIENCE_MS = 2_000;

/**
 * Builds an image of each source, each once, several at a time. One that fails lets the others go on, so that all errors are known.
 *
 * @returns images by the source's path, in the order of the first reference
 * @throws BuildErrors, or the signal's reason
 */
export async function buildImages(sources: readonly SourceReference[], options: BuildImagesOptions): Promise<Map<string, SourceImage>> {
  const { jobs, signal } = options;
  const byPath = Map.groupBy(sources, ({ path }) => path);
  const waiting = [...byPath.keys()];
  const built = new Map<string, SourceImage>();
  const failed = new Map<string, FailedSource>();
  const digests = new Map<string, Promise<string>>();
  const work = async () => {
    for (let path = waiting.shift(); path !== undefined && !signal.aborted; path = waiting.shift()) {
      let said = "";
      try {
        built.set(path, await buildOne(path, (text) => said += text, digests, options));
      } catch (error) {
        failed.set(path, { sources: byPath.get(path) ?? [], error, said });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, byPath.size) }, work));
  signal.throwIfAborted();
  const paths = [...byPath.keys()];
  if (failed.size > 0) throw new BuildErrors(paths.flatMap((path) => failed.get(path) ?? []));
  return new Map(paths.map((path) => [path, built.get(path) as SourceImage]));
}

/** What a compiler says is held back until it has ended, or lines of several would be mixed; of one that fails the error has it. */
async function buildOne(
  path: string,
  hear: (text: string) => void,
  digests: Map<string, Promise<string>>,
  options: BuildImagesOptions,
): Promise<SourceImage> {
  const { cwd, now, stderr } = options;
  const shown = relative(cwd, path) || ".";
  const began = now();
  const patience = setTimeout(() => stderr(`Building ${shown} …\n`), PATIENCE_MS);
  try {
    let said = "";
    const one = await sourceImage(path, {
      ...options,
      digests,
      stderr: (text) => {
        said += text;
        hear(text);
      },
    });
    if (one.built) {
      const own = one.image.layers.at(-1)?.bytes ?? 0;
      stderr(`${said}Built ${shown} (${megabytes(own)}, ${((now() - began) / 1000).toFixed(1)} s)\n`);
    }
    return one;
  } finally {
    clearTimeout(patience);
  }
}
