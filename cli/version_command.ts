import { Command, Option } from "commander";
import { stringify } from "yaml";
import { Api } from "../k8s/api/api.ts";
import { addClusterFlags, openCluster } from "./command/cluster_flags.ts";
import type { Context } from "./command/context.ts";
import { VERSION } from "./command/version.ts";

/** `kurun version` */
export function versionCommand(context: Context): Command {
  const command = new Command("version")
    .summary("print the version")
    .description("Prints kurun's version, and with --client=false also the version of the cluster's Kubernetes.")
    .addOption(new Option("--client [boolean]", "print only kurun's version").choices(["true", "false"]).default("true").preset("true"))
    .addOption(new Option("-o, --output <format>", "the output format").choices(["yaml", "json"]))
    .addHelpText("after", "\nExamples:\n  kurun version\n  kurun version --client=false -o yaml\n");
  return addClusterFlags(command).action((options: Record<string, unknown>) => printVersions(context, options));
}

async function printVersions(context: Context, options: Record<string, unknown>): Promise<void> {
  const clientVersion = { version: VERSION, deno: Deno.version.deno, platform: `${Deno.build.os}/${Deno.build.arch}` };
  const serverVersion = options.client === "true" ? undefined : await serversVersion(context, options);
  const versions = { clientVersion, ...serverVersion && { serverVersion } };
  if (options.output === "json") return context.data(`${JSON.stringify(versions, null, 2)}\n`);
  if (options.output === "yaml") return context.data(stringify(versions));
  context.data(`kurun ${VERSION}, Deno ${clientVersion.deno}, ${clientVersion.platform}\n`);
  if (serverVersion) context.data(`Kubernetes ${serverVersion.gitVersion}, ${serverVersion.platform}\n`);
}

async function serversVersion(context: Context, options: Record<string, unknown>): Promise<{ gitVersion: string; platform: string }> {
  using api = new Api(await openCluster(context, options), { userAgent: "kurun", signal: context.interrupted });
  const { gitVersion, platform } = (await api.get("/version")).body as { gitVersion: string; platform: string };
  return { gitVersion, platform };
}
