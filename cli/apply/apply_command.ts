import { Command } from "commander";
import { Api } from "../../k8s/api/api.ts";
import { addApplyFlags, applyFlags } from "./apply_flags.ts";
import { applyManifests } from "./apply_manifests.ts";
import { watchManifests } from "./apply_watch.ts";
import { addClusterFlags, openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { addDeliverFlags, deliverFlags } from "../images/deliver_flags.ts";
import { deliverTo } from "../images/deliver_images.ts";
import { addManifestFlags, manifestNames } from "./manifest_flags.ts";

/** `kurun apply -f FILE` */
export function applyCommand(context: Context): Command {
  const command = new Command("apply")
    .summary("apply manifests whose images are this machine's source")
    .description(
      "Applies manifests. Where a value is kurun://PATH, what is at PATH (from the manifest's folder) is built into an image and brought to " +
        "the cluster first, and the value becomes the image's name. Objects are applied by the API server itself (server-side apply), " +
        "namespaces and CustomResourceDefinitions first. What kubectl apply applied before goes on as kurun's, without conflicts.",
    )
    .addHelpText("after", EXAMPLES);
  return addClusterFlags(addDeliverFlags(addApplyFlags(addManifestFlags(command)))).action(
    async (more: string[], options: Record<string, unknown>) => {
      const names = manifestNames("apply", more, options);
      const flags = applyFlags(options);
      const images = deliverFlags(context, options);
      const access = await openCluster(context, options);
      const api = new Api(access, { userAgent: "kurun" });
      const deliver = deliverTo(context, api, images);
      const namespace = { namespace: access.namespace, enforced: options.namespace !== undefined };
      try {
        const run = { context, api, names, options, flags, namespace, deliver };
        await (flags.watch ? watchManifests(run) : applyManifests(run));
      } finally {
        api.close();
      }
    },
  );
}

const EXAMPLES = `
Examples:
  # all manifests of a folder; image: kurun://./cmd/server is built from there
  kurun apply -f k8s/

  # what would change
  kurun apply -f k8s/ --diff

  # and remove what was in the folder the last time and is not now
  kurun apply -f k8s/ --prune --applyset shop
`;
