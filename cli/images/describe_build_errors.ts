import { ContainerdError } from "../../k8s/images/containerd.ts";
import { ImageDenoError } from "../../k8s/images/image_deno.ts";
import { MissingLibraryError } from "../../k8s/images/shared_libraries.ts";
import { BuildError } from "../builders/build_error.ts";
import type { BuildErrors, FailedSource } from "./build_images.ts";
import { ContainerfileError } from "../builders/containerfile_builder.ts";
import { describeBuildError } from "../builders/describe_build_error.ts";

/** All that could not be built: who refers to it, why, and what the compiler said. */
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
  if (error instanceof BuildError) return describeBuildError(error).replace(/: what it said is above$|, see above$/, "");
  const known = [ImageDenoError, MissingLibraryError, ContainerdError, ContainerfileError];
  if (known.some((kind) => error instanceof kind) || error instanceof Deno.errors.PermissionDenied) return (error as Error).message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
