/**
 * Credentials for registries, as `docker login` and `podman login` leave them: in a file, or in a program that keeps them.
 *
 * @module
 */

/** What a registry is shown. Never logged, never an argument of a program. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
  /** An OAuth2 refresh token, in place of a password. */
  readonly identityToken?: string;
  /** Where they came from, for messages. */
  readonly from: string;
}

/** Credentials are kept somewhere, and cannot be had from there. */
export class RegistryCredentialsError extends Error {
  override readonly name = "RegistryCredentialsError";
}

interface AuthEntry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
}

/** Docker's config.json and podman's auth.json, as far as they are read. */
export interface DockerConfig {
  readonly auths?: Readonly<Record<string, AuthEntry>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
}

/** Where to look. */
export interface CredentialOptions {
  env(name: string): string | undefined;
  readonly home: string | undefined;
  readonly signal: AbortSignal;
  /** Added to kurun's environment for credential helpers; for tests. */
  readonly helperEnv?: Readonly<Record<string, string>>;
}

/**
 * Finds the credentials for a registry.
 *
 * @param registry as images' names have it
 * @param path the repository's: podman's file may have credentials for a part of a registry
 * @returns undefined where there are none: many registries can be read, and some written, without
 * @throws RegistryCredentialsError where a file is no JSON, or a helper fails
 */
export async function registryCredentials(
  registry: string,
  path: string,
  options: CredentialOptions,
): Promise<RegistryCredentials | undefined> {
  for (const file of configFiles(options)) {
    const config = await readConfig(file);
    if (config === undefined) continue;
    const found = await fromHelpers(config, registry, options) ?? fromFile(config, registry, path, file);
    if (found) return found;
  }
  return undefined;
}

/** Docker's first, since its users are most. */
function configFiles({ env, home }: CredentialOptions): string[] {
  const docker = env("DOCKER_CONFIG") || home && `${home}/.docker`;
  const runtime = env("XDG_RUNTIME_DIR");
  const config = env("XDG_CONFIG_HOME") || home && `${home}/.config`;
  const podman = env("REGISTRY_AUTH_FILE");
  return [
    docker && `${docker}/config.json`,
    ...podman ? [podman] : [runtime && `${runtime}/containers/auth.json`, config && `${config}/containers/auth.json`],
  ].filter((path): path is string => Boolean(path));
}

async function readConfig(file: string): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) return undefined;
    throw new RegistryCredentialsError(`${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  try {
    const config: unknown = JSON.parse(text);
    if (typeof config === "object" && config !== null) return config;
  } catch {
    // The parser's message may quote a credential.
  }
  throw new RegistryCredentialsError(`${file} is no JSON object`);
}

/**
 * What a file itself has for a registry.
 *
 * @param path the repository's; the entry for the longest part of it counts
 * @param file for messages
 */
export function fromFile({ auths = {} }: DockerConfig, registry: string, path: string, file: string): RegistryCredentials | undefined {
  for (const key of [...partsOf(registry, path), ...keysOf(registry)]) {
    const entry = auths[key];
    if (!entry) continue;
    const { auth, identitytoken } = entry;
    const plain = auth ? decodeAuth(auth) : undefined;
    const username = entry.username ?? plain?.username ?? "";
    const password = entry.password ?? plain?.password ?? "";
    // With a store, Docker leaves an empty entry for each registry.
    if (!identitytoken && !(username && password)) continue;
    return { username, password, from: file, ...identitytoken && { identityToken: identitytoken } };
  }
  return undefined;
}

/** A registry's names in Docker's config, the likeliest first. */
export function keysOf(registry: string): string[] {
  if (registry === "docker.io") return ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"];
  return [
    registry,
    `https://${registry}`,
    `https://${registry}/`,
    `https://${registry}/v1/`,
    `https://${registry}/v2/`,
    `http://${registry}`,
  ];
}

/** `registry/a/b`, `registry/a` */
function* partsOf(registry: string, path: string): Generator<string, void> {
  const parts = path.split("/").filter(Boolean);
  for (; parts.length > 0; parts.pop()) yield `${registry}/${parts.join("/")}`;
}

function decodeAuth(auth: string): { username: string; password: string } | undefined {
  try {
    const text = new TextDecoder().decode(Uint8Array.from(atob(auth), (letter) => letter.charCodeAt(0)));
    const colon = text.indexOf(":");
    // Docker once padded with zero bytes.
    return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, "") };
  } catch {
    return undefined;
  }
}

async function fromHelpers(
  { credHelpers = {}, credsStore }: DockerConfig,
  registry: string,
  options: CredentialOptions,
): Promise<RegistryCredentials | undefined> {
  const keys = keysOf(registry);
  const key = keys.find((key) => credHelpers[key]);
  if (key !== undefined) return await askHelper(credHelpers[key] as string, key, options);
  return credsStore ? await askHelper(credsStore, keys[0] as string, options) : undefined;
}

/** Docker's credential helper protocol: the registry on stdin, JSON on stdout. */
async function askHelper(
  name: string,
  registry: string,
  { helperEnv = {}, signal }: CredentialOptions,
): Promise<RegistryCredentials | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[\w.-]+$/.test(name)) throw new RegistryCredentialsError(`"${name}" in Docker's config is no name of a credential helper`);
  signal.throwIfAborted();
  let child;
  try {
    child = new Deno.Command(program, { args: ["get"], env: { ...helperEnv }, stdin: "piped", stdout: "piped", stderr: "piped", signal })
      .spawn();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new RegistryCredentialsError(`Docker's config keeps the credentials for ${registry} in ${program}, which is not in PATH`, {
      cause,
    });
  }
  const asked = ReadableStream.from([new TextEncoder().encode(`${registry}\n`)]).pipeTo(child.stdin).catch(() => {});
  const { success, code, stdout, stderr } = await child.output();
  await asked;
  signal.throwIfAborted();
  const text = new TextDecoder();
  if (!success) {
    // Helpers say so on stdout, in these words.
    const said = `${text.decode(stdout)}${text.decode(stderr)}`.trim();
    if (/credentials not found|no credentials/i.test(said)) return undefined;
    throw new RegistryCredentialsError(`${program} get, for ${registry}, ended with ${code} and said: ${said.slice(0, 300)}`);
  }
  let answer: { Username?: string; Secret?: string };
  try {
    answer = JSON.parse(text.decode(stdout));
  } catch {
    throw new RegistryCredentialsError(`${program} get, for ${registry}, printed no JSON`);
  }
  const { Username = "", Secret = "" } = answer;
  if (Secret === "") return undefined;
  if (Username === "<token>") return { username: "", password: "", identityToken: Secret, from: program };
  return { username: Username, password: Secret, from: program };
}
