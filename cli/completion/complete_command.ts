import { Argument, Command, type Option } from "commander";
import { Api } from "../../k8s/api/api.ts";
import { runPlugin } from "../../k8s/kubeconfig/exec_credential.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import { kubeconfigPaths, readKubeconfigs } from "../../k8s/kubeconfig/kubeconfig_files.ts";
import { SESSION_SELECTOR } from "../../k8s/session/owner/find_sessions.ts";
import type { Job, Live } from "../../k8s/api/kubernetes_objects.ts";
import { sessionOwner } from "../../k8s/session/owner/session_owner.ts";
import { addClusterFlags, clusterFlags } from "../command/cluster_flags.ts";
import type { Context } from "../command/context.ts";
import { pause } from "../command/timers.ts";

/** The time limit for names since the start of the process, in milliseconds. Whoever gets nothing presses Tab again. */
const ANSWER_MS = 450;
/** The least time for names: on a busy machine the start alone takes half a second, and then nothing would ever be offered. */
const LEAST_MS = 250;

/** The reply that tells the shell to complete the names of files. */
const FILES = ":files";

/** Options and arguments whose values are names in the cluster or the kubeconfig. */
const KINDS: Readonly<Record<string, string>> = {
  "--context": "contexts",
  "--cluster": "clusters",
  "--user": "users",
  "--namespace": "namespaces",
  "--servicename": "services",
  "--tlssecret": "secrets",
  "--image-pull-secret": "secrets",
  session: "sessions",
};

/**
 * `kurun __complete =CURRENT WORD…`, which the shells' scripts call with the word at the cursor and the words between kurun and it. CURRENT
 * follows a `=` because PowerShell drops empty arguments. It prints one candidate per line, with a tab and a description where there is one,
 * or `:files`. It never prints an error, which would appear in the middle of the user's line.
 */
export function completeCommand(context: Context): Command {
  const command = new Command("__complete")
    .argument("<current>")
    .argument("[words...]")
    .allowUnknownOption()
    .helpOption(false)
    .passThroughOptions();
  return command.action(async (current: string, words: string[]) => {
    const typed = current.slice(1);
    const offered = await offers(context, command.parent as Command, words, typed);
    context.data(offered.filter((line) => line === FILES || line.startsWith(typed)).map((line) => `${line}\n`).join(""));
  });
}

/** Whether help leaves a command out. commander does not expose this. */
export function isHidden(command: Command): boolean {
  return command.name().startsWith("_");
}

/** What may stand in place of the current word, not yet compared with it. */
async function offers(context: Context, kurun: Command, words: readonly string[], current: string): Promise<string[]> {
  const name = words.find((word) => !word.startsWith("-"));
  if (name === undefined) {
    const commands = kurun.commands.filter((command) => !isHidden(command));
    return [...commands.map((command) => `${command.name()}\t${command.summary()}`), ...flagsOf(kurun)];
  }
  const command = kurun.commands.find((command) => command.name() === name);
  if (command === undefined) return [];
  const [start = "", joined] = /^(--[^=]+)=/.exec(current) ?? [];
  const flag = joined ?? words.at(-1);
  const option = command.options.find(({ long, short, required, optional }) => (required || optional) && (flag === long || flag === short));
  if (option) return (await valuesOf(context, option, words)).map((value) => value === FILES ? value : start + value);
  const [argument] = command.registeredArguments;
  const values = argument && !current.startsWith("-") ? await valuesOf(context, argument, words) : [];
  return values.includes(FILES) ? values : [...values, ...flagsOf(command)];
}

/** Flags with their descriptions, `--help` included. */
function flagsOf(command: Command): string[] {
  const options = command.createHelp().visibleOptions(command);
  return options.flatMap(({ short, long, description }) => [short, long].filter(Boolean).map((flag) => `${flag}\t${description}`));
}

/** The values that an option or an argument may have. */
async function valuesOf(context: Context, of: Option | Argument, words: readonly string[]): Promise<string[]> {
  if (of.argChoices) return [...of.argChoices];
  const [key, placeholder] = of instanceof Argument ? [of.name(), of.name()] : [of.long ?? "", of.flags.replace(/^[^<]*/, "")];
  const kind = KINDS[key];
  if (kind === undefined) return /file|path|program/.test(placeholder) ? [FILES] : [];
  const left = Math.max(LEAST_MS, ANSWER_MS - context.now());
  const names = await Promise.race([findNames(context, kind, words), pause(left, context.interrupted).then(() => [])]).catch(() => []);
  // Names go through the shell's word splitting, so names that need quotes are left out.
  return names.filter((name) => /^[\w@%+=:,./-]+$/.test(name));
}

async function findNames(context: Context, kind: string, words: readonly string[]): Promise<string[]> {
  const flags = clusterFlags(writtenFlags(words));
  const env = { get: context.env };
  if (kind === "contexts" || kind === "clusters" || kind === "users") {
    const { paths, required } = kubeconfigPaths(flags.kubeconfig, env);
    return [...(await readKubeconfigs(paths, required))[kind].keys()];
  }
  // A plugin must neither print to the user's line nor ask questions.
  const access = await loadClusterAccess(flags, { ...env, interactive: false, runPlugin: (call) => runPlugin(call, "null") });
  using api = new Api(access, { userAgent: "kurun", signal: AbortSignal.timeout(ANSWER_MS) });
  const namespace = `namespaces/${encodeURIComponent(access.namespace)}`;
  const query = { limit: 500, ...kind === "sessions" && { labelSelector: SESSION_SELECTOR } };
  const path = kind === "sessions" ? `apis/batch/v1/${namespace}/jobs` : `api/v1/${kind === "namespaces" ? kind : `${namespace}/${kind}`}`;
  const { body: { items } } = await api.get<{ items: Live[] }>(`/${path}`, { query });
  return items.map((item) => kind === "sessions" ? sessionOwner(item as Job).service : item.metadata.name);
}

/** The flags that choose the cluster, from an unfinished line: its last word may be a flag without its value. */
function writtenFlags(words: readonly string[]): Record<string, unknown> {
  const parser = addClusterFlags(new Command()).allowUnknownOption().helpOption(false).argument("[words...]").exitOverride();
  parser.configureOutput({ writeErr: () => {}, writeOut: () => {} });
  parser.parse(words.at(-1)?.startsWith("-") ? words.slice(0, -1) : [...words], { from: "user" });
  return parser.opts();
}
