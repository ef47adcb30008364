/** Reads kubeconfig files and merges them by kubectl's rules, or makes the kubeconfig of a Pod's ServiceAccount. */

import { dirname, isAbsolute, join, resolve, sep as SEPARATOR } from "node:path";
import { decodeManifest, readManifest } from "../manifests/manifest_text.ts";
import { documentValue } from "../manifests/manifest_values.ts";
import { kubeconfigFields } from "./kubeconfig_entries.ts";
import type { ClusterEntry, ContextEntry, KubeconfigFields, UserEntry } from "./kubeconfig_entries.ts";

/** The kubeconfig is wrong, or the flags that choose from it. */
export class KubeconfigError extends Error {
  override readonly name = "KubeconfigError";
}

/** Kubeconfigs merged: entries by name, with absolute paths. */
export interface MergedKubeconfig {
  readonly clusters: ReadonlyMap<string, ClusterEntry>;
  readonly users: ReadonlyMap<string, UserEntry>;
  readonly contexts: ReadonlyMap<string, ContextEntry>;
  /** Empty if there is none. */
  readonly currentContext: string;
  /** The files that were read, in order. */
  readonly files: readonly string[];
}

/** The files to read: the flag's, else KUBECONFIG's list, else ~/.kube/config. @returns also whether a missing file is an error */
export function kubeconfigPaths(
  flag: string | undefined,
  env: { get(name: string): string | undefined },
  windows: boolean = Deno.build.os === "windows",
): { paths: string[]; required: boolean } {
  if (flag) return { paths: [flag], required: true };
  const listed = (env.get("KUBECONFIG") ?? "").split(windows ? ";" : ":").filter((path) => path !== "");
  if (listed.length > 0) return { paths: [...new Set(listed)], required: false };
  const home = windows ? env.get("HOME") || env.get("USERPROFILE") : env.get("HOME");
  return { paths: home ? [join(home, ".kube", "config")] : [], required: false };
}

/**
 * Reads files and merges them. The first of two entries with one name wins as a whole, and so does the first current context.
 * @param required whether a missing file is an error, or is skipped
 * @throws {KubeconfigError}
 */
export async function readKubeconfigs(paths: readonly string[], required: boolean): Promise<MergedKubeconfig> {
  const clusters = new Map<string, ClusterEntry>();
  const users = new Map<string, UserEntry>();
  const contexts = new Map<string, ContextEntry>();
  const files: string[] = [];
  let currentContext = "";
  for (const path of paths) {
    const bytes = await readFile(path, required);
    if (bytes === undefined) continue;
    files.push(path);
    const config = parseKubeconfig(bytes, path);
    const folder = dirname(resolve(path));
    for (const { name = "", cluster = {} } of config.clusters ?? []) {
      addMissing(clusters, name, withAbsolutePaths(cluster, ["certificate-authority"], folder));
    }
    for (const { name = "", user = {} } of config.users ?? []) {
      const { exec, ...rest } = withAbsolutePaths(user, ["client-certificate", "client-key", "tokenFile"], folder);
      // A plugin named with a folder is relative to the file too; a bare name is looked up in PATH.
      const isPath = exec?.command?.includes(SEPARATOR);
      addMissing(users, name, exec ? { ...rest, exec: isPath ? withAbsolutePaths(exec, ["command"], folder) : exec } : rest);
    }
    for (const { name = "", context = {} } of config.contexts ?? []) addMissing(contexts, name, context);
    currentContext ||= config["current-context"] ?? "";
  }
  return { clusters, users, contexts, currentContext, files };
}

async function readFile(path: string, required: boolean): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) {
      throw new KubeconfigError(`Cannot read the kubeconfig "${path}": ${(cause as Error).message}`, { cause });
    }
    if (!required) return undefined;
    throw new KubeconfigError(`The kubeconfig "${path}" does not exist`, { cause });
  }
}

function parseKubeconfig(bytes: Uint8Array, path: string): KubeconfigFields {
  const malformed = (what: string) => new KubeconfigError(`The kubeconfig "${path}" is not valid: ${what}`);
  let fields: KubeconfigFields;
  try {
    fields = kubeconfigFields(parseYaml(bytes));
  } catch (cause) {
    // The parser quotes tags' values and aliases, which may be a token or a password.
    throw malformed((cause as Error).message.replace(/ \(.*\)$/s, "").replace(/the alias \*.*$/s, "an alias"));
  }
  for (const list of ["clusters", "users", "contexts"] as const) {
    const names = (fields[list] ?? []).map(({ name = "" }) => name);
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined) throw malformed(`${list} has two entries named "${twice}"`);
  }
  const { kind = "" } = fields;
  if (kind !== "" && kind !== "Config") throw malformed(`its kind is ${JSON.stringify(kind)}, expected "Config"`);
  return fields;
}

/** As kubectl reads YAML; the first document counts. @throws Error that quotes nothing of the text */
function parseYaml(bytes: Uint8Array): unknown {
  const text = decodeManifest(bytes);
  if (text === undefined) throw new Error("it is neither UTF-8 nor UTF-16 with a byte order mark");
  const { documents: [first], problems: [problem] } = readManifest(text);
  if (problem) throw new Error(`line ${problem.line}, column ${problem.column}: ${problem.what}`);
  return first && documentValue(first.document);
}

function addMissing<T>(into: Map<string, T>, name: string, entry: T): void {
  if (!into.has(name)) into.set(name, entry);
}

/** Paths are relative to the file that names them. */
function withAbsolutePaths<T extends object>(entry: T, names: readonly (keyof T)[], folder: string): T {
  const changed = { ...entry };
  for (const name of names) {
    const path = entry[name];
    if (typeof path === "string" && path !== "" && !isAbsolute(path)) changed[name] = join(folder, path) as T[typeof name];
  }
  return changed;
}

/** Where Kubernetes mounts a Pod's ServiceAccount. */
const SERVICE_ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The kubeconfig of the ServiceAccount whose files are in a directory; undefined outside a Pod. */
export async function inClusterKubeconfig(
  env: { get(name: string): string | undefined },
  directory: string = SERVICE_ACCOUNT_DIRECTORY,
): Promise<MergedKubeconfig | undefined> {
  const host = env.get("KUBERNETES_SERVICE_HOST");
  const port = env.get("KUBERNETES_SERVICE_PORT");
  if (!host || !port) return undefined;
  try {
    await Deno.stat(`${directory}/token`);
  } catch {
    return undefined;
  }
  const namespace = env.get("POD_NAMESPACE") || await Deno.readTextFile(`${directory}/namespace`).then((text) => text.trim(), () => "");
  const server = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return {
    clusters: new Map([["in-cluster", { server, "certificate-authority": `${directory}/ca.crt` }]]),
    users: new Map([["service-account", { tokenFile: `${directory}/token` }]]),
    contexts: new Map([["in-cluster", { cluster: "in-cluster", user: "service-account", namespace }]]),
    currentContext: "in-cluster",
    files: [],
  };
}
