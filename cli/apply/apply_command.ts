import { Command } from "commander";
import { Api } from "../../k8s/api/api.ts";
import { addApplyFlags, applyFlags } from "./apply_flags.ts";
import { applyPrepared } from "./apply_manifests.ts";
import { watchManifests } from "./apply_watch.ts";
import { addClusterFlags, openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { addDeliverFlags, deliverFlags } from "../images/deliver_flags.ts";
import { deliverTo } from "../images/deliver_images.ts";
import { addManifestFlags, manifestNames } from "./manifest_flags.ts";
import { prepareManifests } from "./prepare_manifests.ts";

/** `kurun apply -f FILE` */
export function applyCommand(context: Context): Command {
  const command = new Command("apply")
    .summary("apply manifests whose images are built from local source")
    .description(
      "Applies manifests. First, kurun replaces each value kurun://PATH with an image, which it builds from the source at PATH (relative to the " +
        "manifest's folder) and delivers to the cluster. The API server then applies the objects (server-side apply), " +
        "namespaces and CustomResourceDefinitions first. kurun takes over what kubectl apply applied before, without conflicts.",
    )
    .addHelpText("after", EXAMPLES);
  return addClusterFlags(addDeliverFlags(addApplyFlags(addManifestFlags(command)))).action(
    async (more: string[], options: Record<string, unknown>) => {
      const names = manifestNames("apply", more, options);
      const flags = applyFlags(options);
      const images = deliverFlags(context, options);
      const access = await openCluster(context, options);
      using api = new Api(access, { userAgent: "kurun" });
      const namespace = { namespace: access.namespace, enforced: options.namespace !== undefined };
      const deliver = deliverTo(context, api, images);
      const run = { context, api, names, recursive: options.recursive === true, flags, namespace, deliver };
      if (flags.watch) await watchManifests(run);
      else await applyPrepared(run, await prepareManifests(run));
    },
  );
}

const EXAMPLES = `
Examples:
  # apply all manifests of a folder; image: kurun://./cmd/server is built from source
  kurun apply -f k8s/

  # what would change
  kurun apply -f k8s/ --diff

  # also delete what was in the folder last time and no longer is
  kurun apply -f k8s/ --prune --applyset shop
`;
