import { dirname, resolve } from "node:path";
import { Command, Option } from "commander";
import { denoLayer } from "../k8s/images/deno_layer.ts";
import { makeServerImage } from "../k8s/images/server_image.ts";
import { serverImageReference } from "../k8s/images/server_image_name.ts";
import { serverSource } from "../k8s/images/server_source.ts";
import type { Architecture } from "../k8s/images/shared_libraries.ts";
import { userCacheFolder } from "../k8s/images/cache_folder.ts";
import type { Context } from "./command/context.ts";
import { usageError } from "./command/errors.ts";
import { THIS_ARCHITECTURE } from "./command/this_architecture.ts";
import { VERSION } from "./command/version.ts";

/** The folder of archives that were not given a name; it is created where it is missing. */
const DEFAULT_FOLDER = "build";

/** `kurun image` */
export function imageCommand(context: Context): Command {
  return new Command("image")
    .summary("write kurun's own image (Deno and the server) to a file")
    .description(
      "Writes kurun's own image, which contains Deno and the server, as an archive for docker load, kind load image-archive or ctr images import. " +
        "This needs Linux with glibc, and npm unless kurun runs on the Deno of the image. " +
        "Load it onto the nodes, and name it with --server-image. With Deno's own image, the default, this command is not needed.",
    )
    .option("--output <file>", "the archive to write", `${DEFAULT_FOLDER}/kurun-server-${VERSION}-linux-ARCH.tar`)
    .addOption(
      new Option("--arch <architecture>", "the architecture of the cluster's nodes").choices(["amd64", "arm64"])
        .default(THIS_ARCHITECTURE, "this machine's"),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  # for nodes that cannot pull Deno's own image\n  kurun image --output kurun-server.tar\n" +
        `  kind load image-archive kurun-server.tar\n  kurun port-forward 8080 --server-image ${serverImageReference(VERSION)}\n`,
    )
    .action((options: { output: string; arch: Architecture }) =>
      makeImage(context, options.output.replace("ARCH", options.arch), options.arch)
    );
}

async function makeImage(context: Context, output: string, architecture: Architecture): Promise<void> {
  const signal = context.interrupted;
  await checkFolder(dirname(output));
  const cacheFolder = userCacheFolder(context.env);
  const serverJs = new TextEncoder().encode(await serverSource(cacheFolder, signal));
  const progress = (line: string) => context.stderr(`${line}\n`);
  const system = await denoLayer(architecture, { cacheFolder: `${cacheFolder}/image`, progress, signal });
  progress(`Writing ${output}`);
  const image = await makeServerImage({ version: VERSION, architecture, system, serverJs, output, signal });
  context.stdout(`${output} contains ${serverImageReference(VERSION)} (${Math.round(image.bytes / 1e6)} MB)\n`);
}

/** A folder that is missing is most likely a typing error. @throws UserError */
async function checkFolder(folder: string): Promise<void> {
  if (resolve(folder) === resolve(DEFAULT_FOLDER)) await Deno.mkdir(folder, { recursive: true });
  if (await Deno.stat(folder).then((stat) => stat.isDirectory, () => false)) return;
  throw usageError(`--output: there is no folder ${folder}: create it, or choose another file`);
}
