import { resolve } from "node:path";
import { Command } from "commander";
import { addClusterFlags } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { addDeliverFlags } from "./deliver_flags.ts";
import { deliverAnywhere } from "./deliver_images.ts";

/** `kurun build PATH…` */
export function buildCommand(context: Context): Command {
  const command = new Command("build")
    .summary("build images from local source and print their names")
    .description(
      "Builds an image from each path, delivers it to the cluster or a registry, and prints one image name per line, for use in a manifest. " +
        "A path is a folder or file with Go, TypeScript or JavaScript, or a folder with a Dockerfile. With --repo and --arch no cluster is needed.",
    )
    .argument("<path...>", "the source of an image")
    .addHelpText("after", EXAMPLES);
  return addClusterFlags(addDeliverFlags(command)).action(async (paths: string[], options: Record<string, unknown>) => {
    const sources = paths.map((path) => ({ path: resolve(Deno.cwd(), path), what: path }));
    const references = await deliverAnywhere(context, options)(sources);
    context.stdout(sources.map(({ path }) => `${references.get(path)}\n`).join(""));
  });
}

const EXAMPLES = `
Examples:
  # into a local cluster: kind, k3d, or containerd on this machine
  kurun build ./cmd/server

  # to a registry, with the credentials of docker login
  kurun build ./cmd/server ./worker --repo registry.example/me --arch amd64
`;
