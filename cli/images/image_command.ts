import { Command, Option } from "commander";
import { makeServerImage } from "../../k8s/images/server_image.ts";
import { bundleServer } from "../../k8s/images/server_bundle.ts";
import type { Architecture } from "../../k8s/images/shared_libraries.ts";
import type { Context } from "../command/context.ts";
import { usageError } from "../command/errors.ts";
import { VERSION } from "../command/version.ts";

/** `kurun image` */
export function imageCommand(context: Context): Command {
  return new Command("image")
    .summary("make the image of kurun's Pod")
    .description("Writes the image of kurun's Pod as an archive that docker load, kind load image-archive and ctr images import take.")
    .option("--output <file>", "where to write it", `build/kurun-server-${VERSION}-linux-ARCH.tar`)
    .addOption(
      new Option("--arch <architecture>", "the cluster's nodes'").choices(["amd64", "arm64"]).default(ownArchitecture(), "this machine's"),
    )
    .addHelpText("after", "\nExamples:\n  kurun image --output kurun-server.tar\n  kind load image-archive kurun-server.tar\n")
    .action((options: { output: string; arch: Architecture }) =>
      makeImage(context, options.output.replace("ARCH", options.arch), options.arch)
    );
}

async function makeImage(context: Context, output: string, architecture: Architecture): Promise<void> {
  const serverJs = await serverSource(context.interrupted);
  const image = await makeServerImage({
    version: VERSION,
    architecture,
    serverJs,
    output,
    cacheFolder: cacheFolder(context),
    progress: (line) => context.stderr(`${line}\n`),
    signal: context.interrupted,
  });
  context.stdout(`${output} holds ${image.reference} (${Math.round(image.bytes / 1e6)} MB)\n`);
}

/** The server as one file: made of its source, or what a compiled kurun carries, beside its own bundle (tests/compile.ts). */
async function serverSource(signal: AbortSignal): Promise<Uint8Array> {
  if (Deno.build.standalone) return await Deno.readFile(new URL("./server.js", import.meta.url));
  return await bundleServer(new URL("../../server/main.ts", import.meta.url), { signal });
}

/** Where packed layers are kept (XDG Base Directory Specification). */
function cacheFolder(context: Context): string {
  const base = context.env("XDG_CACHE_HOME") ?? (context.home && `${context.home}/.cache`);
  if (!base) throw usageError("there is no home folder to keep packed layers in: set XDG_CACHE_HOME");
  return `${base}/kurun/image`;
}

function ownArchitecture(): Architecture {
  return Deno.build.arch === "aarch64" ? "arm64" : "amd64";
}
