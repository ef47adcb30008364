import { Command, Option } from "commander";
import { stringify } from "yaml";
import { Api } from "../k8s/api/api.ts";
import { addClusterFlags, openCluster } from "./command/cluster_flags.ts";
import type { Context } from "./command/context.ts";
import { VERSION } from "./command/version.ts";

interface Versions {
  readonly clientVersion: { readonly version: string; readonly deno: string; readonly platform: string };
  readonly serverVersion?: { readonly gitVersion: string; readonly platform: string };
}

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
  const versions: Versions = options.client === "true"
    ? { clientVersion }
    : { clientVersion, serverVersion: await serverVersion(context, options) };
  context.data(versionText(versions, options.output as "yaml" | "json" | undefined));
}

async function serverVersion(context: Context, options: Record<string, unknown>): Promise<{ gitVersion: string; platform: string }> {
  const api = new Api(await openCluster(context, options), { userAgent: "kurun", signal: context.interrupted });
  try {
    const { gitVersion, platform } = (await api.get("/version")).body as { gitVersion: string; platform: string };
    return { gitVersion, platform };
  } finally {
    api.close();
  }
}

function versionText(versions: Versions, format: "yaml" | "json" | undefined): string {
  if (format === "json") return `${JSON.stringify(versions, null, 2)}\n`;
  if (format === "yaml") return stringify(versions);
  const { clientVersion: { version, deno, platform }, serverVersion: server } = versions;
  return `kurun ${version}, Deno ${deno}, ${platform}\n${server ? `Kubernetes ${server.gitVersion}, ${server.platform}\n` : ""}`;
}
