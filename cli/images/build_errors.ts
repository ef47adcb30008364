import { ImageError } from "../../k8s/images/image_error.ts";
import { BuildError } from "../builders/build_error.ts";

/** A source that manifests refer to. */
export interface SourceReference {
  /** Absolute. */
  readonly path: string;
  /** Where it is referred to, for messages. */
  readonly what: string;
  /** Where its container says `imagePullPolicy: Always`, for messages. */
  readonly pullAlways?: string | undefined;
}

/** A source that could not be built, with all references to it, and the compiler's output. */
export interface FailedSource {
  readonly sources: readonly SourceReference[];
  readonly error: unknown;
  readonly said: string;
}

/** All sources that could not be built, in the order of their first reference. */
export class BuildErrors extends Error {
  override readonly name = "BuildErrors";

  constructor(readonly failed: readonly FailedSource[]) {
    super(`cannot build ${failed.map(({ sources }) => sources[0]?.path).join(", ")}`);
  }

  /** Whether the command line or the manifest is wrong, rather than the source or this machine. */
  get usage(): boolean {
    return this.failed.every(({ error }) => error instanceof BuildError && error.usage);
  }
}

/** All that could not be built: where each source is used, why it failed, and the compiler's output. */
export function describeBuildErrors({ failed }: BuildErrors): string {
  const count = failed.length === 1 ? "an image" : `${failed.length} images`;
  return [`${count} could not be built; nothing was sent anywhere`, ...failed.map(describeFailed)].join("\n");
}

function describeFailed({ sources, error, said }: FailedSource): string {
  const users = sources.map(({ what }) => what).join(", ");
  const text = said.trim();
  return `${users}: ${reason(error)}${text === "" ? "" : `\n${text.replace(/^/gm, "  ")}`}`;
}

function reason(error: unknown): string {
  if (error instanceof BuildError) return error.message.replace(/: see above$/, "");
  const known = [ImageError, Deno.errors.PermissionDenied];
  if (known.some((kind) => error instanceof kind)) return (error as Error).message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
