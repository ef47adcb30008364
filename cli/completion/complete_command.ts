import { Command } from "commander";
import { Api } from "../../k8s/api/api.ts";
import type { ExecRunner } from "../../k8s/kubeconfig/exec_credential.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import { kubeconfigPaths, type MergedKubeconfig, readKubeconfigs } from "../../k8s/kubeconfig/kubeconfig_files.ts";
import { SESSION_SELECTOR } from "../../k8s/session/owner/find_sessions.ts";
import type { Job, Live } from "../../k8s/api/kubernetes_objects.ts";
import { sessionOwner } from "../../k8s/session/owner/session_owner.ts";
import { addClusterFlags, clusterFlags } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";

/** The time limit since the start of the process, in milliseconds. Whoever gets nothing presses Tab again. */
const ANSWER_MS = 450;

/**
 * `kurun __complete KIND WORD…`, which the shells' scripts call: prints the names of a kind, one per line, or nothing after half a second. It
 * never prints an error, which would appear in the middle of the user's line.
 */
export function completeCommand(context: Context): Command {
  return new Command("__complete")
    .argument("<kind>")
    .argument("[words...]")
    .allowUnknownOption()
    .helpOption(false)
    .passThroughOptions()
    .action(async (kind: string, words: string[]) => {
      const left = Math.max(1, ANSWER_MS - context.now());
      const names = await Promise.race([findNames(context, kind, words), nothingAfter(left)]).catch(() => []);
      // Names go through the shell's word splitting, so names that need quotes are left out.
      context.data(names.filter((name) => /^[\w@%+=:,./-]+$/.test(name)).map((name) => `${name}\n`).join(""));
    });
}

async function findNames(context: Context, kind: string, words: readonly string[]): Promise<string[]> {
  const flags = clusterFlags(writtenFlags(words));
  const env = { get: context.env };
  if (kind === "contexts" || kind === "clusters" || kind === "users") {
    const { paths, required } = kubeconfigPaths(flags.kubeconfig, env);
    const config: MergedKubeconfig = await readKubeconfigs(paths, required);
    return [...config[kind].keys()];
  }
  const access = await loadClusterAccess(flags, { ...env, runPlugin: runQuietly });
  const api = new Api(access, { userAgent: "kurun", signal: AbortSignal.timeout(ANSWER_MS) });
  try {
    if (kind === "sessions") return (await listJobs(api, access.namespace)).map((job) => sessionOwner(job).service);
    const path = kind === "namespaces" ? "/api/v1/namespaces" : `/api/v1/namespaces/${encodeURIComponent(access.namespace)}/${kind}`;
    const query = { limit: 500 };
    const { body: { items } } = await api.get<{ items: Live[] }>(path, { query });
    return items.map(({ metadata: { name } }) => name);
  } finally {
    api.close();
  }
}

/** The Jobs of sessions, without asking their Pods whether a client is connected. */
async function listJobs(api: Api, namespace: string): Promise<Job[]> {
  const path = `/apis/batch/v1/namespaces/${encodeURIComponent(namespace)}/jobs`;
  const { body: { items } } = await api.get<{ items: Job[] }>(path, { query: { limit: 500, labelSelector: SESSION_SELECTOR } });
  return items;
}

/** Runs an exec plugin that must neither print to the user's line nor ask questions. */
const runQuietly: ExecRunner = async ({ command, args, env }) => {
  const { code, stdout } = await new Deno.Command(command, {
    args: [...args],
    env: { ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout) };
};

/** The flags that choose the cluster, from an unfinished line: its last word may be a flag without its value. */
function writtenFlags(words: readonly string[]): Record<string, unknown> {
  const parser = addClusterFlags(new Command()).allowUnknownOption().helpOption(false).argument("[words...]").exitOverride();
  parser.configureOutput({ writeErr: () => {}, writeOut: () => {} });
  // commander's passThroughOptions passes the scripts' `--` on, and nothing after it would be a flag.
  const line = words[0] === "--" ? words.slice(1) : words;
  parser.parse(line.at(-1)?.startsWith("-") ? line.slice(0, -1) : [...line], { from: "user" });
  return parser.opts();
}

function nothingAfter(ms: number): Promise<string[]> {
  return new Promise((resolve) => setTimeout(() => resolve([]), ms));
}
