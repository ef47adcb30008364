/**
 * Which cluster, as whom: kubectl's flags and kubeconfig files, and what the process knows when it runs in a Pod.
 *
 * The entries are read by `@kubernetes/client-node`'s config_types, its KubeConfig's own reader: KubeConfig itself brings every way to
 * sign in, 860 KB and 40 MB of memory at run time. What both do otherwise than kubectl is done here and in the files beside: several files merge, a missing one is an error, data
 * goes before a file, exec plugins, proxies, token files.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ActionOnInvalid, newClusters, newContexts } from "@kubernetes/client-node/config_types";
import { type ClusterAccess, type ConnectionOptions, connectionTo } from "../api/cluster_access.ts";
import { unbracketed } from "../api/dial.ts";
import { type ExecConfig, ExecCredentialSource, type ExecRunner, runPlugin } from "./exec_credential.ts";
import { parseProxyUrl, proxyFromEnvironment } from "../api/http_proxy.ts";
import { inClusterKubeconfig } from "./in_cluster.ts";
import { type Fields, KubeconfigError, kubeconfigPaths, type MergedKubeconfig, readKubeconfigs } from "./kubeconfig_files.ts";
import { FileText, type Impersonation, type TextSource, UserCredentials, type UserSettings } from "./user_credentials.ts";

export type { ClusterAccess, ConnectionOptions } from "../api/cluster_access.ts";

/** kubectl's flags that choose and change the cluster; what is undefined or empty was not given. */
export interface ClusterFlags {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly cluster?: string | undefined;
  readonly user?: string | undefined;
  readonly namespace?: string | undefined;
  readonly server?: string | undefined;
  readonly token?: string | undefined;
  readonly as?: string | undefined;
  readonly asGroups?: readonly string[] | undefined;
  readonly asUid?: string | undefined;
  readonly certificateAuthority?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
  readonly tlsServerName?: string | undefined;
  /** In milliseconds; 0 is none. */
  readonly requestTimeout?: number | undefined;
}

/** What the kubeconfig is read in. */
export interface KubeconfigEnvironment {
  /** An environment variable. */
  get(name: string): string | undefined;
  /** Whether standard input is a terminal that an exec plugin may read from. @default {false} */
  readonly interactive?: boolean;
  /** Runs exec plugins. @default a child process whose standard error is this process's own */
  readonly runPlugin?: ExecRunner;
  /** The time in milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number;
  /** Where a Pod's ServiceAccount is. */
  readonly serviceAccountDirectory?: string;
}

/**
 * Finds the cluster and the user that are meant.
 *
 * @throws {KubeconfigError} when they cannot be found, or what is said of them is wrong
 * @throws {CredentialError} when the user's exec plugin cannot be used
 */
export async function loadClusterAccess(flags: ClusterFlags, env: KubeconfigEnvironment): Promise<ClusterAccess> {
  const { paths, required } = kubeconfigPaths(flags.kubeconfig, env);
  let config = await readKubeconfigs(paths, required);
  if (isEmpty(config) && !flags.kubeconfig) {
    config = await inClusterKubeconfig(env, env.serviceAccountDirectory) ?? config;
  }
  if (isEmpty(config) && !flags.server) throw nothingFound(paths, config, env);
  const chosen = choose(config, flags);
  return new KubeconfigAccess(chosen, flags, env);
}

function isEmpty(config: MergedKubeconfig): boolean {
  return config.clusters.size === 0 && config.contexts.size === 0 && config.users.size === 0;
}

function nothingFound(paths: readonly string[], config: MergedKubeconfig, env: KubeconfigEnvironment): KubeconfigError {
  const where = paths.map((path) => `"${path}" ${config.files.includes(path) ? "names no cluster" : "is not there"}`);
  if (paths.length === 0) where.push("neither KUBECONFIG nor HOME is set");
  const pod = env.get("KUBERNETES_SERVICE_HOST") === undefined ? "this is no Pod" : "this Pod has no ServiceAccount token";
  return new KubeconfigError("none", `Cannot find a kubeconfig: ${[...where, pod].join(", ")}`, { files: paths });
}

/** The entries that were chosen, as their file has them. */
interface Chosen {
  readonly context: string;
  readonly namespace: string;
  readonly clusterName: string;
  readonly userName: string;
  readonly cluster: Fields;
  readonly user: Fields;
}

function choose(config: MergedKubeconfig, flags: ClusterFlags): Chosen {
  const { files } = config;
  const { contexts, clusters } = readEntries(config);
  const contextName = flags.context || config.currentContext;
  const context = contexts.find(({ name }) => name === contextName);
  if (context === undefined) {
    const available = [...config.contexts.keys()];
    if (contextName !== "") {
      const broken = config.contexts.has(contextName);
      if (broken && !flags.cluster && !flags.server) {
        throw new KubeconfigError("invalid", `Context "${contextName}" names no cluster`, { subject: contextName, files });
      }
      if (!broken) {
        throw new KubeconfigError("unknown-context", `There is no context "${contextName}"`, { subject: contextName, available, files });
      }
    }
    if (contextName === "" && !flags.cluster && !flags.server) {
      throw new KubeconfigError("no-context", "No context is chosen: the kubeconfig has no current-context", { available, files });
    }
  }
  const clusterName = flags.cluster || (context?.cluster ?? "");
  if (clusterName !== "" && !config.clusters.has(clusterName) && (flags.cluster || !flags.server)) {
    const available = [...config.clusters.keys()];
    throw new KubeconfigError("unknown-cluster", `There is no cluster "${clusterName}"`, { subject: clusterName, available, files });
  }
  const cluster = clusters.find(({ name }) => name === clusterName);
  const server = flags.server || cluster?.server;
  if (!server) {
    throw new KubeconfigError("invalid", `Cluster "${clusterName}" has no server`, { subject: clusterName, files });
  }
  const userName = flags.user || text(config.contexts.get(contextName) ?? {}, "user");
  if (userName !== "" && !config.users.has(userName)) {
    const available = [...config.users.keys()];
    throw new KubeconfigError("unknown-user", `There is no user "${userName}"`, { subject: userName, available, files });
  }
  return {
    context: context === undefined ? "" : contextName,
    namespace: flags.namespace || text(config.contexts.get(contextName) ?? {}, "namespace") || "default",
    clusterName,
    userName,
    cluster: config.clusters.get(clusterName) ?? {},
    user: config.users.get(userName) ?? {},
  };
}

/** The entries as client-node reads them. One that is broken matters only when it is chosen. */
function readEntries({ contexts, clusters }: MergedKubeconfig) {
  const list = (entries: ReadonlyMap<string, Fields>, inside: string) => [...entries].map(([name, fields]) => ({ name, [inside]: fields }));
  return {
    contexts: newContexts(list(contexts, "context"), { onInvalidEntry: ActionOnInvalid.FILTER }),
    clusters: newClusters(list(clusters, "cluster"), { onInvalidEntry: ActionOnInvalid.FILTER }),
  };
}

class KubeconfigAccess implements ClusterAccess {
  readonly server: URL;
  readonly namespace: string;
  readonly context: string;
  readonly user: string;
  readonly warnings: readonly string[];
  readonly requestTimeoutMs: number | undefined;
  readonly #tls: ClusterTls | undefined;
  readonly #proxy: URL | undefined;
  readonly #credentials: UserCredentials;
  #identity = { generation: 0, of: "" };

  constructor(chosen: Chosen, flags: ClusterFlags, env: KubeconfigEnvironment) {
    this.namespace = chosen.namespace;
    this.context = chosen.context;
    this.user = flags.as || text(chosen.user, "as") || chosen.userName;
    this.requestTimeoutMs = flags.requestTimeout;
    this.server = serverUrl(flags.server || text(chosen.cluster, "server"), chosen.clusterName);
    this.#proxy = this.#findProxy(chosen, env);
    const now = env.now ?? Date.now;
    const tls = clusterTls(chosen, flags, now);
    this.#tls = this.server.protocol === "https:" ? tls : undefined;
    this.#credentials = new UserCredentials(userSettings(chosen, flags, env, () => execCluster(this.server, chosen, tls), now));
    this.warnings = this.#findWarnings(chosen);
  }

  async connection(): Promise<ConnectionOptions> {
    const { headers, cert, key } = await this.#credentials.resolve();
    const ca = this.#tls?.ca instanceof FileText ? await this.#tls.ca.read() : this.#tls?.ca;
    const tls = this.#tls && { ca, cert, key, serverName: this.#tls.serverName, insecure: this.#tls.insecure };
    const of = [ca, cert, key].join();
    if (of !== this.#identity.of) this.#identity = { generation: this.#identity.generation + 1, of };
    const target = {
      host: unbracketed(this.server.hostname),
      port: Number(this.server.port || (tls ? 443 : 80)),
      tls,
      proxy: this.#proxy,
    };
    return connectionTo(target, headers, String(this.#identity.generation));
  }

  refreshCredentials(): void {
    this.#credentials.forget();
  }

  #findProxy({ cluster, clusterName }: Chosen, env: KubeconfigEnvironment): URL | undefined {
    const own = text(cluster, "proxy-url");
    try {
      return own === "" ? proxyFromEnvironment(this.server, env) : parseProxyUrl(own);
    } catch (error) {
      const problem = (error as Error).message.includes("supported") ? "unsupported" : "invalid";
      throw new KubeconfigError(problem, (error as Error).message, { subject: clusterName });
    }
  }

  #findWarnings({ clusterName }: Chosen): string[] {
    if (this.#tls?.insecure) {
      return [
        `Whoever answers for ${this.server.host} is believed: cluster "${clusterName}" of the kubeconfig has insecure-skip-tls-verify`,
      ];
    }
    const loopback = ["localhost", "127.0.0.1", "[::1]"].includes(this.server.hostname);
    if (this.server.protocol === "http:" && !loopback) return [`Nothing that goes to ${this.server.host} is encrypted: its URL is http://`];
    return [];
  }
}

interface ClusterTls {
  readonly ca: TextSource | undefined;
  readonly serverName: string | undefined;
  readonly insecure: boolean;
}

function serverUrl(server: string, cluster: string): URL {
  const url = URL.parse(server.includes("://") ? server : `https://${server}`);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw new KubeconfigError("invalid", `The server of cluster "${cluster}" is no URL: "${server}"`, { subject: cluster });
  }
  url.search = "";
  url.hash = "";
  return url;
}

function clusterTls({ cluster, clusterName }: Chosen, flags: ClusterFlags, now: () => number): ClusterTls {
  // As in kubectl: --certificate-authority takes back the file's insecure-skip-tls-verify, --server its tls-server-name.
  const insecure = cluster["insecure-skip-tls-verify"] === true && !flags.certificateAuthority;
  const ca = flags.certificateAuthority
    ? new FileText(flags.certificateAuthority, now)
    : dataOrFile(cluster, "certificate-authority", clusterName, now);
  if (insecure && ca !== undefined) {
    const message = `Cluster "${clusterName}" has insecure-skip-tls-verify and a certificate-authority: only one can be meant`;
    throw new KubeconfigError("invalid", message, { subject: clusterName });
  }
  const serverName = flags.tlsServerName || (flags.server ? "" : text(cluster, "tls-server-name"));
  return { ca, serverName: serverName || undefined, insecure };
}

function userSettings(
  { user, userName: name }: Chosen,
  flags: ClusterFlags,
  env: KubeconfigEnvironment,
  cluster: () => Promise<Record<string, unknown>>,
  now: () => number,
): UserSettings {
  const cert = flags.clientCertificate ? new FileText(flags.clientCertificate, now) : dataOrFile(user, "client-certificate", name, now);
  const key = flags.clientKey ? new FileText(flags.clientKey, now) : dataOrFile(user, "client-key", name, now);
  if ((cert === undefined) !== (key === undefined)) {
    const [has, lacks] = cert === undefined ? ["client-key", "client-certificate"] : ["client-certificate", "client-key"];
    throw new KubeconfigError("invalid", `User "${name}" has a ${has} and no ${lacks}`, { subject: name });
  }
  const tokenFile = text(user, "tokenFile");
  const token = flags.token || (tokenFile ? new FileText(tokenFile, now) : text(user, "token") || undefined);
  const username = text(user, "username");
  const exec = user.exec as Fields | null | undefined;
  const provider = (user["auth-provider"] as Fields | null | undefined)?.name;
  if (provider !== undefined && token === undefined && !exec) {
    const message = `User "${name}" has the auth-provider "${provider}", which is not supported, nor is it in kubectl since 1.26: ` +
      `use the provider's exec plugin, such as gke-gcloud-auth-plugin or kubelogin`;
    throw new KubeconfigError("unsupported", message, { subject: name });
  }
  return {
    name,
    token,
    cert,
    key,
    basic: username === "" ? undefined : { username, password: text(user, "password") },
    impersonation: impersonation(user, name, flags),
    // As in kubectl, whoever has a token, a password or a certificate already needs no plugin.
    exec: !exec || token !== undefined || username !== "" || cert !== undefined
      ? undefined
      : new ExecCredentialSource(execConfig(exec, name), {
        user: name,
        cluster,
        interactive: env.interactive ?? false,
        run: env.runPlugin ?? runPlugin,
        now,
      }),
  };
}

function impersonation(user: Fields, name: string, flags: ClusterFlags): Impersonation | undefined {
  const who = {
    user: flags.as || text(user, "as"),
    uid: flags.asUid || text(user, "as-uid"),
    groups: flags.asGroups?.length ? flags.asGroups : texts(user, "as-groups"),
    extra: Object.fromEntries(
      Object.entries((user["as-user-extra"] ?? {}) as Fields).map(([key]) => [key, texts(user["as-user-extra"] as Fields, key)]),
    ),
  };
  if (who.user !== "") return who;
  if (who.uid === "" && who.groups.length === 0 && Object.keys(who.extra).length === 0) return undefined;
  const message = `User "${name}" impersonates a uid, groups or extra, and no user: --as, or "as", is missing`;
  throw new KubeconfigError("invalid", message, { subject: name });
}

function execConfig(exec: Fields, user: string): ExecConfig {
  const env = (exec.env ?? []) as Fields[];
  if (!Array.isArray(env)) throw new KubeconfigError("invalid", `The exec plugin's env of user "${user}" is no list`, { subject: user });
  return {
    apiVersion: text(exec, "apiVersion"),
    command: text(exec, "command"),
    args: texts(exec, "args"),
    env: env.map((entry) => ({ name: text(entry, "name"), value: text(entry, "value") })),
    installHint: text(exec, "installHint"),
    provideClusterInfo: exec.provideClusterInfo === true,
    interactiveMode: text(exec, "interactiveMode") as ExecConfig["interactiveMode"],
  };
}

/** The `spec.cluster` that a plugin is told: client.authentication.k8s.io/v1, type Cluster. */
async function execCluster(server: URL, { cluster }: Chosen, tls: ClusterTls): Promise<Record<string, unknown>> {
  const extensions = (cluster.extensions ?? []) as Fields[];
  const config = extensions.find(({ name }) => name === "client.authentication.k8s.io/exec")?.extension;
  const said = {
    server: server.href.replace(/\/$/, ""),
    "tls-server-name": tls.serverName,
    "insecure-skip-tls-verify": tls.insecure || undefined,
    "certificate-authority-data": await caData(tls.ca),
    "proxy-url": text(cluster, "proxy-url") || undefined,
    "disable-compression": cluster["disable-compression"] === true || undefined,
    config,
  };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

async function caData(ca: TextSource | undefined): Promise<string | undefined> {
  if (ca === undefined) return undefined;
  return Buffer.from(ca instanceof FileText ? await ca.read() : ca).toString("base64");
}

/** kubectl takes `NAME-data` before the file `NAME`; client-node the other way round. */
function dataOrFile(fields: Fields, key: string, subject: string, now: () => number): TextSource | undefined {
  const data = text(fields, `${key}-data`);
  if (data !== "") {
    const pem = Buffer.from(data, "base64").toString("utf8");
    if (!pem.includes("-----BEGIN")) {
      throw new KubeconfigError("invalid", `${key}-data of "${subject}" is no PEM in base64`, { subject });
    }
    return pem;
  }
  const path = text(fields, key);
  return path === "" ? undefined : new FileText(path, now);
}

function text(fields: Fields, key: string): string {
  const value = fields[key];
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") {
    throw new KubeconfigError("malformed", `"${key}" in the kubeconfig is no text: quote it`, { subject: key });
  }
  return value;
}

function texts(fields: Fields, key: string): string[] {
  const value = fields[key] ?? [];
  if (!Array.isArray(value) || value.some((item) => typeof item !== "string")) {
    throw new KubeconfigError("malformed", `"${key}" in the kubeconfig is no list of texts`, { subject: key });
  }
  return value;
}
