import { resolve } from "node:path";
import { Command } from "commander";
import { Api } from "../../k8s/api/api.ts";
import { addClusterFlags, openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { addDeliverFlags, type DeliverFlags, deliverFlags } from "./deliver_flags.ts";
import { deliverImages } from "./deliver_images.ts";

/** `kurun build PATH…` */
export function buildCommand(context: Context): Command {
  const command = new Command("build")
    .summary("build images of this machine's source, and print their names")
    .description(
      "Builds an image of each path and brings it to where the cluster finds it, then prints what to write into a manifest, a line each. " +
        "A path is a folder or file of Go, TypeScript or JavaScript, or one with a Dockerfile. With --repo and --arch no cluster is asked.",
    )
    .argument("<path...>", "what to build")
    .addHelpText("after", EXAMPLES);
  return addClusterFlags(addDeliverFlags(command)).action(async (paths: string[], options: Record<string, unknown>) => {
    const flags = deliverFlags(context, options);
    const cwd = Deno.cwd();
    const sources = paths.map((path) => ({ path: resolve(cwd, path), what: path }));
    const api = needsCluster(flags) ? new Api(await openCluster(context, options), { userAgent: "kurun" }) : undefined;
    try {
      const references = await deliverImages(sources, { context, flags, cwd, api });
      context.stdout(sources.map(({ path }) => `${references.get(path)}\n`).join(""));
    } finally {
      api?.close();
    }
  });
}

/** Whether the command line leaves something that only the cluster can tell: how images get there, or what they are built for. */
export function needsCluster({ repo, deliver, architecture }: DeliverFlags): boolean {
  const told = deliver === undefined ? repo !== undefined : deliver !== "kind" && deliver !== "k3d";
  return !told || architecture === undefined;
}

const EXAMPLES = `
Examples:
  # into the cluster that is here: kind, k3d, or containerd on this machine
  kurun build ./cmd/server

  # to a registry, as docker login left its credentials
  kurun build ./cmd/server ./worker --repo registry.example/me --arch amd64
`;
