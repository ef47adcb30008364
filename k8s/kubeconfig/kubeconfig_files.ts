/**
 * Reads kubeconfig files and merges them by kubectl's rules.
 *
 * @module
 */

import { dirname, isAbsolute, join } from "node:path";
import { parseAllDocuments } from "yaml";

/** What is wrong with a kubeconfig, or with what was asked of it. */
export type KubeconfigProblem =
  /** The file that was named is not there. */
  | "missing-file"
  /** A file is there and cannot be read. */
  | "unreadable"
  /** A file's text is no kubeconfig. */
  | "malformed"
  /** There is nothing that says where a cluster is. */
  | "none"
  /** No context was chosen and none is current. */
  | "no-context"
  | "unknown-context"
  | "unknown-cluster"
  | "unknown-user"
  /** What is said cannot be meant, such as a cluster without a server. */
  | "invalid"
  /** What is said is not supported, such as an auth-provider. */
  | "unsupported";

/** The kubeconfig, or what was asked of it, is wrong. */
export class KubeconfigError extends Error {
  override readonly name = "KubeconfigError";
  readonly problem: KubeconfigProblem;
  /** The file, context, cluster or user it is about. */
  readonly subject: string;
  /** The contexts, clusters or users that there are, where one was asked for that is not. */
  readonly available: readonly string[];
  /** The files that were looked at, or looked for. */
  readonly files: readonly string[];

  constructor(
    problem: KubeconfigProblem,
    message: string,
    options: { subject?: string; available?: readonly string[]; files?: readonly string[]; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.problem = problem;
    this.subject = options.subject ?? "";
    this.available = options.available ?? [];
    this.files = options.files ?? [];
  }
}

/** An entry's inside as the file has it. */
export type Fields = Readonly<Record<string, unknown>>;

/** Kubeconfigs merged: entries by name, paths absolute. */
export interface MergedKubeconfig {
  readonly clusters: ReadonlyMap<string, Fields>;
  readonly users: ReadonlyMap<string, Fields>;
  readonly contexts: ReadonlyMap<string, Fields>;
  /** Empty where none is current. */
  readonly currentContext: string;
  /** The files that were read, in order. */
  readonly files: readonly string[];
}

/**
 * The files to read: the flag's one, else KUBECONFIG's list, else ~/.kube/config.
 *
 * @returns the paths, and whether each of them must be there
 */
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
 * Reads the files and merges them: of two entries of one name the first is taken whole, and so is
 * the first current context.
 *
 * @param required whether a file that is not there is an error, or is left out
 * @throws {KubeconfigError}
 */
export async function readKubeconfigs(paths: readonly string[], required: boolean): Promise<MergedKubeconfig> {
  const clusters = new Map<string, Fields>();
  const users = new Map<string, Fields>();
  const contexts = new Map<string, Fields>();
  const files: string[] = [];
  let currentContext = "";
  for (const path of paths) {
    const text = await readFile(path, required);
    if (text === undefined) continue;
    files.push(path);
    const config = parseKubeconfig(text, path);
    const directory = dirname(path);
    addEntries(
      clusters,
      entries(config, "clusters", "cluster", path),
      (cluster) => withAbsolute(cluster, ["certificate-authority"], directory),
    );
    addEntries(
      users,
      entries(config, "users", "user", path),
      (user) => withAbsoluteCommand(withAbsolute(user, USER_PATHS, directory), directory),
    );
    addEntries(contexts, entries(config, "contexts", "context", path), (context) => context);
    currentContext ||= text_(config["current-context"], "current-context", path);
  }
  return { clusters, users, contexts, currentContext, files };
}

const USER_PATHS = ["client-certificate", "client-key", "tokenFile"];

async function readFile(path: string, required: boolean): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      if (!required) return undefined;
      throw new KubeconfigError("missing-file", `Cannot find the kubeconfig "${path}"`, { subject: path, files: [path], cause });
    }
    throw new KubeconfigError("unreadable", `Cannot read the kubeconfig "${path}": ${(cause as Error).message}`, {
      subject: path,
      files: [path],
      cause,
    });
  }
}

function parseKubeconfig(text: string, path: string): Fields {
  let config: unknown;
  try {
    // As kubectl does: the first document counts, and of a key that is there twice the last one.
    const [document] = parseAllDocuments(text, { merge: true, uniqueKeys: false, logLevel: "silent" });
    const [error] = document?.errors ?? [];
    if (error) throw error;
    config = document?.toJS();
  } catch (cause) {
    // Its first line says what and where; what follows shows the file's own text, which may be a token.
    const [what = ""] = (cause as Error).message.split("\n", 1);
    throw malformed(path, what.replace(/:$/, ""));
  }
  if (config === null || config === undefined) return {};
  if (typeof config !== "object" || Array.isArray(config)) throw malformed(path, "it is no mapping");
  const fields = config as Fields;
  const kind = fields.kind;
  if (kind !== undefined && kind !== "" && kind !== "Config") throw malformed(path, `its kind is ${JSON.stringify(kind)}, not "Config"`);
  return fields;
}

function malformed(path: string, what: string): KubeconfigError {
  return new KubeconfigError("malformed", `Cannot read the kubeconfig "${path}": ${what}`, { subject: path, files: [path] });
}

/** A list such as `clusters: [{name, cluster: {…}}]`, as pairs. */
function entries(config: Fields, list: string, inside: string, path: string): [string, Fields][] {
  const value = config[list] ?? [];
  if (!Array.isArray(value)) throw malformed(path, `"${list}" is no list`);
  return value.map((entry, index) => {
    const name = text_(entry?.name, `${list}[${index}].name`, path);
    const fields = entry?.[inside] ?? {};
    if (typeof fields !== "object" || Array.isArray(fields)) throw malformed(path, `${list}[${index}].${inside} is no mapping`);
    return [name, fields];
  });
}

function addEntries(into: Map<string, Fields>, from: [string, Fields][], prepare: (fields: Fields) => Fields): void {
  for (const [name, fields] of from) {
    if (!into.has(name)) into.set(name, prepare(fields));
  }
}

function text_(value: unknown, where: string, path: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw malformed(path, `${where} is ${JSON.stringify(value)}, not a text`);
  return value;
}

function withAbsolute(fields: Fields, names: readonly string[], directory: string): Fields {
  const changed: Record<string, unknown> = { ...fields };
  for (const name of names) {
    const value = changed[name];
    if (typeof value === "string" && value !== "" && !isAbsolute(value)) changed[name] = join(directory, value);
  }
  return changed;
}

/** A plugin that is named with a directory is relative to the file as well; a bare name is looked up in PATH. */
function withAbsoluteCommand(user: Fields, directory: string): Fields {
  const exec = user.exec as Fields | null | undefined;
  const command = exec?.command;
  if (typeof command !== "string" || !/[/\\]/.test(command) || isAbsolute(command)) return user;
  return { ...user, exec: { ...exec, command: join(directory, command) } };
}
