/**
 * Finds the cluster and the user: from kubectl's flags, kubeconfig files, or the ServiceAccount of a Pod, by kubectl's rules. client-node's
 * KubeConfig differs from them (merging, missing files, data before files, plugins, proxies, token files), and costs 860 KB and 40 MB of memory.
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type ClusterAccess, connectionTo } from "../api/cluster_access.ts";
import { unbracketed } from "../api/dial_route.ts";
import { ExecCredentialSource, type ExecRunner, runPlugin } from "./exec_credential.ts";
import { parseProxyUrl, proxyFromEnvironment } from "../api/http_proxy.ts";
import type { UserEntry } from "./kubeconfig_entries.ts";
import { inClusterKubeconfig, KubeconfigError, kubeconfigPaths, type MergedKubeconfig, readKubeconfigs } from "./kubeconfig_files.ts";
import { FileText, type HeaderFields, impersonationHeaders, readText, type TextSource, UserCredentials } from "./user_credentials.ts";

/** kubectl's flags that choose and change the cluster; undefined and empty mean not given. */
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
  /** In milliseconds; 0 means no limit. */
  readonly requestTimeout?: number | undefined;
}

/** The environment of a kubeconfig. */
export interface KubeconfigEnvironment {
  /** An environment variable. */
  get(name: string): string | undefined;
  /** Whether standard input is a terminal that an exec plugin may read from. @default {false} */
  readonly interactive?: boolean;
  /** Runs exec plugins. @default a child process whose standard error is this process's own */
  readonly runPlugin?: ExecRunner;
  /** The time in milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number;
  /** The folder of a Pod's ServiceAccount. */
  readonly serviceAccountDirectory?: string;
}

/** Finds the cluster and the user. @throws {KubeconfigError}, or {CredentialError} if the user's exec plugin cannot be used */
export async function loadClusterAccess(flags: ClusterFlags, env: KubeconfigEnvironment): Promise<ClusterAccess> {
  const { paths, required } = kubeconfigPaths(flags.kubeconfig, env);
  let config = await readKubeconfigs(paths, required);
  if (isEmpty(config) && !flags.kubeconfig) config = await inClusterKubeconfig(env, env.serviceAccountDirectory) ?? config;
  if (isEmpty(config) && !flags.server) throw nothingFound(paths, config, env);
  return accessTo(choose(config, flags), flags, env);
}

function isEmpty(config: MergedKubeconfig): boolean {
  return config.clusters.size === 0 && config.contexts.size === 0 && config.users.size === 0;
}

function nothingFound(paths: readonly string[], config: MergedKubeconfig, env: KubeconfigEnvironment): KubeconfigError {
  const where = paths.map((path) => `"${path}" ${config.files.includes(path) ? "names no cluster" : "does not exist"}`);
  if (paths.length === 0) where.push("neither KUBECONFIG nor HOME is set");
  const pod = env.get("KUBERNETES_SERVICE_HOST") === undefined ? "and this is not a Pod" : "and this Pod has no ServiceAccount token";
  return new KubeconfigError(`Cannot find a kubeconfig: ${[...where, pod].join(", ")}. Name a kubeconfig with --kubeconfig or KUBECONFIG`);
}

/** The chosen entries. */
type Chosen = ReturnType<typeof choose>;

function choose(config: MergedKubeconfig, flags: ClusterFlags) {
  const contextName = flags.context || config.currentContext;
  const context = config.contexts.get(contextName);
  if (context === undefined && contextName !== "") throw unknown("context", contextName, config.contexts);
  if (context === undefined && !flags.cluster && !flags.server) {
    const message = "No context is selected: the kubeconfig has no current-context. Choose one with --context";
    throw new KubeconfigError(message + available(config.contexts));
  }
  const clusterName = flags.cluster || context?.cluster || "";
  if (clusterName === "" && context !== undefined && !flags.server) {
    throw new KubeconfigError(`Context "${contextName}" names no cluster`);
  }
  const cluster = config.clusters.get(clusterName);
  if (cluster === undefined && clusterName !== "" && (flags.cluster || !flags.server)) {
    throw unknown("cluster", clusterName, config.clusters);
  }
  if (!flags.server && !cluster?.server) throw new KubeconfigError(`Cluster "${clusterName}" has no server`);
  const userName = flags.user || context?.user || "";
  if (userName !== "" && !config.users.has(userName)) throw unknown("user", userName, config.users);
  return {
    context: context === undefined ? "" : contextName,
    namespace: flags.namespace || context?.namespace || "default",
    clusterName,
    userName,
    cluster: cluster ?? {},
    user: config.users.get(userName) ?? {},
  };
}

function unknown(kind: "context" | "cluster" | "user", name: string, known: ReadonlyMap<string, unknown>): KubeconfigError {
  return new KubeconfigError(`There is no ${kind} "${name}"${available(known)}`);
}

function available(known: ReadonlyMap<string, unknown>): string {
  return known.size === 0 ? "" : `; available: ${[...known.keys()].join(", ")}`;
}

function accessTo(chosen: Chosen, flags: ClusterFlags, env: KubeconfigEnvironment): ClusterAccess {
  const now = env.now ?? Date.now;
  const server = serverUrl(flags.server || chosen.cluster.server || "", chosen.clusterName);
  const proxy = proxyTo(server, chosen, env);
  const given = clusterTls(chosen, flags, now);
  const user = userSettings(chosen, flags, now);
  const tls = server.protocol === "https:" ? given : undefined;
  // As in kubectl, a server without TLS is not told who the user is, and no plugin is run for it.
  const credentials = tls && new UserCredentials({ ...user, exec: execSource(server, chosen, tls, user, env) }, now);
  return {
    server,
    namespace: chosen.namespace,
    context: chosen.context,
    user: flags.as || chosen.user.as || chosen.userName,
    warnings: warningsAbout(server, chosen.clusterName, tls),
    requestTimeoutMs: flags.requestTimeout,
    async connection() {
      const { headers = {}, cert, key } = await credentials?.resolve() ?? {};
      const ca = await readText(tls?.ca);
      const identity = createHash("sha256").update([ca, cert, key].join()).digest("base64");
      const port = Number(server.port || (tls ? 443 : 80));
      return connectionTo({ host: unbracketed(server.hostname), port, tls: tls && { ...tls, ca, cert, key }, proxy }, headers, identity);
    },
    proxy: proxy && `${proxy.protocol}//${proxy.host}`,
    clientCertificate: () => credentials?.certificate(),
    refreshCredentials: () => credentials?.forget(),
    expiredCredential: () => credentials?.expired(),
  };
}

function proxyTo(server: URL, { cluster }: Chosen, env: KubeconfigEnvironment): URL | undefined {
  const own = cluster["proxy-url"] ?? "";
  try {
    return own === "" ? proxyFromEnvironment(server, env) : parseProxyUrl(own);
  } catch (error) {
    throw new KubeconfigError((error as Error).message);
  }
}

function warningsAbout(server: URL, cluster: string, tls: ClusterTls | undefined): string[] {
  if (tls?.insecure) {
    return [`the certificate of ${server.host} is not verified: cluster "${cluster}" of the kubeconfig has insecure-skip-tls-verify`];
  }
  if (tls || ["localhost", "127.0.0.1", "[::1]"].includes(server.hostname)) return [];
  return [`the connection to ${server.host} is not encrypted, so no credentials are sent: its URL starts with http://`];
}

function serverUrl(server: string, cluster: string): URL {
  const url = URL.parse(server.includes("://") ? server : `https://${server}`);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw new KubeconfigError(`The server of cluster "${cluster}" is not a URL: "${server}"`);
  }
  url.search = "";
  url.hash = "";
  return url;
}

type ClusterTls = ReturnType<typeof clusterTls>;

function clusterTls({ cluster, clusterName }: Chosen, flags: ClusterFlags, now: () => number) {
  // As in kubectl, --certificate-authority overrides the file's insecure-skip-tls-verify, and --server its tls-server-name.
  const insecure = cluster["insecure-skip-tls-verify"] === true && !flags.certificateAuthority;
  const ca = textSource(flags.certificateAuthority, cluster, "certificate-authority", clusterName, now);
  if (insecure && ca !== undefined) {
    throw new KubeconfigError(`Cluster "${clusterName}" has both insecure-skip-tls-verify and a certificate-authority: remove one`);
  }
  const serverName = flags.tlsServerName || (flags.server ? "" : cluster["tls-server-name"]);
  return { ca, serverName: serverName || undefined, insecure };
}

function userSettings({ user, userName: name }: Chosen, flags: ClusterFlags, now: () => number) {
  const cert = textSource(flags.clientCertificate, user, "client-certificate", name, now);
  const key = textSource(flags.clientKey, user, "client-key", name, now);
  if ((cert === undefined) !== (key === undefined)) {
    const [has, lacks] = cert === undefined ? ["client-key", "client-certificate"] : ["client-certificate", "client-key"];
    throw new KubeconfigError(`User "${name}" has a ${has} but no ${lacks}`);
  }
  const token = flags.token || (user.tokenFile ? new FileText(user.tokenFile, now) : user.token || undefined);
  const { username = "", password = "" } = user;
  const provider = user["auth-provider"]?.name;
  if (provider !== undefined && token === undefined && !user.exec) {
    throw new KubeconfigError(
      `User "${name}" has the auth-provider "${provider}", which kubectl removed in 1.26: ` +
        `use the provider's exec plugin, such as gke-gcloud-auth-plugin or kubelogin`,
    );
  }
  const basic = username === "" ? undefined : `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  return { name, token, cert, key, basic, headers: impersonation(user, name, flags) };
}

function impersonation(user: UserEntry, name: string, flags: ClusterFlags): HeaderFields {
  const who = {
    user: flags.as || user.as || "",
    uid: flags.asUid || user["as-uid"] || "",
    groups: flags.asGroups?.length ? flags.asGroups : user["as-groups"] ?? [],
    extra: user["as-user-extra"] ?? {},
  };
  if (who.user !== "") return impersonationHeaders(who);
  if (who.uid === "" && who.groups.length === 0 && Object.keys(who.extra).length === 0) return {};
  throw new KubeconfigError(`User "${name}" impersonates a uid, groups or extra without a user: add --as, or "as" in the kubeconfig`);
}

/** The user's exec plugin. As in kubectl, a token, a password or a certificate makes it unnecessary. */
function execSource(
  server: URL,
  chosen: Chosen,
  tls: ClusterTls,
  { token, basic, cert }: ReturnType<typeof userSettings>,
  { interactive = false, runPlugin: run = runPlugin, now = Date.now }: KubeconfigEnvironment,
): ExecCredentialSource | undefined {
  if (!chosen.user.exec || token !== undefined || basic !== undefined || cert !== undefined) return undefined;
  const cluster = () => execCluster(server, chosen, tls);
  return new ExecCredentialSource(chosen.user.exec, { user: chosen.userName, cluster, interactive, run, now });
}

/** The `spec.cluster` for a plugin: client.authentication.k8s.io/v1, type Cluster. */
async function execCluster(server: URL, { cluster }: Chosen, tls: ClusterTls): Promise<Record<string, unknown>> {
  const config = cluster.extensions?.find(({ name }) => name === "client.authentication.k8s.io/exec")?.extension;
  const ca = await readText(tls.ca);
  // JSON has no undefined fields.
  return {
    server: server.href.replace(/\/$/, ""),
    "tls-server-name": tls.serverName,
    "insecure-skip-tls-verify": tls.insecure || undefined,
    "certificate-authority-data": ca === undefined ? undefined : Buffer.from(ca).toString("base64"),
    "proxy-url": cluster["proxy-url"] || undefined,
    "disable-compression": cluster["disable-compression"] || undefined,
    config,
  };
}

/** The flag's file, else the entry's: as in kubectl, `NAME-data` comes before the file `NAME`. */
function textSource<K extends string>(
  flag: string | undefined,
  entry: { readonly [Key in K | `${K}-data`]?: string },
  key: K,
  subject: string,
  now: () => number,
): TextSource | undefined {
  if (flag) return new FileText(flag, now);
  const data = entry[`${key}-data`];
  if (data) {
    const pem = Buffer.from(data, "base64").toString("utf8");
    if (!pem.includes("-----BEGIN")) throw new KubeconfigError(`${key}-data of "${subject}" is not PEM in base64`);
    return pem;
  }
  const path = entry[key];
  return path ? new FileText(path, now) : undefined;
}
