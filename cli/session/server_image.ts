/**
 * `--server-image`: the image of kurun's Pod, and whether the session has to provide the server.
 *
 * @module
 */
import { Option } from "commander";
import { IMAGE_DENO_VERSION } from "../../k8s/images/image_deno.ts";
import { userCacheFolder } from "../../k8s/images/cache_folder.ts";
import { isServerImage } from "../../k8s/images/server_image_name.ts";
import { serverSource } from "../../k8s/images/server_source.ts";
import type { CommonPlan } from "../../k8s/session/objects/session_plan.ts";
import type { Context } from "../command/context.ts";
import { VERSION } from "../command/version.ts";

/** Deno's own image. The server is tested with this version, and the image contains only Deno and the libraries that it needs. */
const STOCK_IMAGE = `docker.io/denoland/deno:distroless-${IMAGE_DENO_VERSION}`;
const VARIABLE = "KURUN_SERVER_IMAGE";

/** The flag `--server-image`. */
export function serverImageOption(): Option {
  const what = "the image of kurun's Pod: a denoland/deno image, a copy of one, or what kurun image writes";
  return new Option("--server-image <image>", `${what} (default: $${VARIABLE}, or ${STOCK_IMAGE})`);
}

/** The image of kurun's Pod, and the server unless the image contains it. @throws ImageError if the server cannot be bundled */
export async function serverImage(context: Context, flag: string | undefined): Promise<Pick<CommonPlan, "image" | "server">> {
  const { image, contained } = chosenImage(context, flag);
  return contained ? { image } : { image, server: await serverSource(cacheFolder(context), context.interrupted) };
}

/** The image of kurun's Pod, and whether it contains the server. */
export function chosenImage(context: Context, flag: string | undefined): { image: string; contained: boolean } {
  const image = flag ?? (context.env(VARIABLE) || STOCK_IMAGE);
  return { image, contained: isServerImage(image, VERSION) };
}

/** kurun's cache folder; undefined if the environment names none. */
function cacheFolder(context: Context): string | undefined {
  try {
    return userCacheFolder(context.env);
  } catch {
    return undefined;
  }
}
