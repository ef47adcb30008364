import { relative } from "node:path";
import { megabytes } from "../command/terminal_text.ts";
import { BuildErrors, type FailedSource, type SourceReference } from "./build_errors.ts";
import { type SourceImage, sourceImage, type SourceImageOptions } from "./source_image.ts";

/** Options for {@linkcode buildImages}: how many sources are built at a time, and a clock in milliseconds. */
type BuildImagesOptions = Omit<SourceImageOptions, "digests"> & { readonly jobs: number; readonly now: () => number };

/** A build that takes longer is announced: the first one with Go compiles its whole standard library. */
const PATIENCE_MS = 2_000;

/**
 * Builds an image from each source once, several at a time. After a failure the others are still built, so that all errors are known.
 * @returns images by the source's path, in the order of the first reference
 * @throws BuildErrors, or the signal's reason
 */
export async function buildImages(sources: readonly SourceReference[], options: BuildImagesOptions): Promise<Map<string, SourceImage>> {
  const { cwd, jobs, now, signal, stderr } = options;
  const byPath = Map.groupBy(sources, ({ path }) => path);
  const built = new Map<string, SourceImage>();
  const failed = new Map<string, FailedSource>();
  const digests = new Map<string, Promise<string>>();
  const build = async (path: string) => {
    const shown = relative(cwd, path) || ".";
    const began = now();
    const patience = setTimeout(() => stderr(`Building ${shown} …\n`), PATIENCE_MS);
    // A compiler's output is held back until it ends, or lines of several would mix; after a failure, the error has it.
    let said = "";
    try {
      const one = await sourceImage(path, { ...options, digests, stderr: (text) => said += text });
      built.set(path, one);
      if (!one.built) return;
      const own = one.image.layers.at(-1)?.bytes ?? 0;
      stderr(`${said}Built ${shown} (${megabytes(own)}, ${((now() - began) / 1000).toFixed(1)} s)\n`);
    } catch (error) {
      failed.set(path, { sources: byPath.get(path) ?? [], error, said });
    } finally {
      clearTimeout(patience);
    }
  };
  const waiting = byPath.keys(); // shared, so that each path is built once
  const work = async () => {
    for (const path of waiting) if (!signal.aborted) await build(path);
  };
  await Promise.all(Array.from({ length: jobs }, work));
  signal.throwIfAborted();
  const paths = [...byPath.keys()];
  if (failed.size > 0) throw new BuildErrors(paths.flatMap((path) => failed.get(path) ?? []));
  return new Map(paths.map((path) => [path, built.get(path) as SourceImage]));
}
