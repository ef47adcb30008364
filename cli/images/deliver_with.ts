import { Api } from "../../k8s/api/api.ts";
import { needsCluster } from "./build_command.ts";
import { openCluster } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { type DeliverFlags, deliverFlags } from "./deliver_flags.ts";
import { type Deliver, deliverImages } from "./deliver_images.ts";

/** Builds references and brings them to a cluster, as the flags say. */
export function deliverTo(context: Context, api: Api | undefined, flags: DeliverFlags): Deliver {
  return (references) => deliverImages(references, { context, flags, cwd: Deno.cwd(), api });
}

/** The same for a command that needs a cluster only to see where images go: it is looked for when there is something to deliver. */
export function deliverAnywhere(context: Context, options: Record<string, unknown>): Deliver {
  const flags = deliverFlags(context, options);
  return async (references) => {
    const api = needsCluster(flags) ? new Api(await openCluster(context, options), { userAgent: "kurun" }) : undefined;
    try {
      return await deliverTo(context, api, flags)(references);
    } finally {
      api?.close();
    }
  };
}
