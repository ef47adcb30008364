/** Finds the credentials that `docker login` and `podman login` stored: in a file, or in a credential helper. @module */
import { ImageError } from "../images/image_error.ts";
import { runProgram } from "../images/run_program.ts";

/** A registry's credentials. They are never logged and never an argument of a program. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
  /** An OAuth2 refresh token, which replaces the password. */
  readonly identityToken?: string;
  /** The file or program they came from, for messages. */
  readonly from: string;
}

type AuthEntry = Partial<Record<"auth" | "username" | "password" | "identitytoken", string>>;

/** The parts of Docker's config.json and podman's auth.json that are read. */
export interface DockerConfig {
  readonly auths?: Readonly<Record<string, AuthEntry>> | null;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>> | null;
}

/** Where to look for credentials. */
export interface CredentialOptions {
  env(name: string): string | undefined;
  readonly home: string | undefined;
  readonly signal: AbortSignal;
  /** Variables for credential helpers, in addition to kurun's own; for tests. */
  readonly helperEnv?: Readonly<Record<string, string>>;
}

/**
 * Finds the credentials for a registry.
 * @param registry as image names spell it
 * @param path the repository's: podman's file may have credentials for a part of a registry
 * @returns undefined if nothing is stored: some registries need no login
 * @throws ImageError if a file is not JSON, or a helper fails
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

/** Docker's file comes first: it has the most users. */
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
    throw new ImageError(`${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  try {
    const config: unknown = JSON.parse(text);
    if (typeof config === "object" && config !== null) return config;
  } catch {
    // The parser's message may quote a credential.
  }
  throw new ImageError(`${file} is not a JSON object: run docker login again, or repair the file`);
}

/** The credentials that a file itself has for a registry. @param path the repository's; the entry for its longest part wins */
export function fromFile({ auths }: DockerConfig, registry: string, path: string, file: string): RegistryCredentials | undefined {
  const parts = path.split("/").filter(Boolean);
  const ofParts = parts.map((_, at) => `${registry}/${parts.slice(0, parts.length - at).join("/")}`);
  for (const key of [...ofParts, ...keysOf(registry)]) {
    const entry = auths?.[key];
    if (!entry) continue;
    const { auth, identitytoken } = entry;
    const plain = auth ? decodeAuth(auth) : undefined;
    const username = entry.username ?? plain?.username ?? "";
    const password = entry.password ?? plain?.password ?? "";
    // Docker writes an empty entry for each registry whose credentials are in a store.
    if (!identitytoken && !(username && password)) continue;
    return { username, password, from: file, ...identitytoken && { identityToken: identitytoken } };
  }
  return undefined;
}

/** The keys under which Docker's config may have a registry, the most likely first. */
function keysOf(registry: string): string[] {
  if (registry === "docker.io") return ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"];
  return [registry, ...["", "/", "/v1/", "/v2/"].map((path) => `https://${registry}${path}`), `http://${registry}`];
}

function decodeAuth(auth: string): { username: string; password: string } | undefined {
  try {
    const text = new TextDecoder().decode(Uint8Array.from(atob(auth), (letter) => letter.charCodeAt(0)));
    const colon = text.indexOf(":");
    // Docker once padded passwords with zero bytes.
    return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, "") };
  } catch {
    return undefined;
  }
}

async function fromHelpers(
  { credHelpers, credsStore }: DockerConfig,
  registry: string,
  options: CredentialOptions,
): Promise<RegistryCredentials | undefined> {
  const keys = keysOf(registry);
  const key = keys.find((key) => credHelpers?.[key]);
  if (key !== undefined) return await askHelper(credHelpers?.[key] as string, key, options);
  return credsStore ? await askHelper(credsStore, keys[0] as string, options) : undefined;
}

/** Docker's credential helper protocol: the registry goes to stdin, JSON comes from stdout. */
async function askHelper(name: string, registry: string, options: CredentialOptions): Promise<RegistryCredentials | undefined> {
  const from = `docker-credential-${name}`;
  if (!/^[\w.-]+$/.test(name)) throw new ImageError(`"${name}" in Docker's config is not the name of a credential helper`);
  const { stdout, stderr, failure, missing } = await runProgram(from, ["get"], {
    name: `${from} get, for ${registry},`,
    env: options.helperEnv,
    input: [new TextEncoder().encode(`${registry}\n`)],
    signal: options.signal,
  });
  if (missing) throw new ImageError(`Docker's config keeps the credentials for ${registry} in ${from}, which is not in PATH`);
  if (failure !== undefined) {
    // Helpers report on stdout, in these words.
    if (/credentials not found|no credentials/i.test(stdout + stderr)) return undefined;
    throw new ImageError(failure);
  }
  let answer: { Username?: string; Secret?: string } | null;
  try {
    answer = JSON.parse(stdout);
  } catch {
    throw new ImageError(`${from} get, for ${registry}, did not print JSON`);
  }
  const { Username = "", Secret = "" } = answer ?? {};
  if (Secret === "") return undefined;
  if (Username === "<token>") return { username: "", password: "", identityToken: Secret, from };
  return { username: Username, password: Secret, from };
}
