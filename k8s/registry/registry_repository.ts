/** A repository, or the beginning of the names of some. */
export interface Repository {
  /** Host and port as images' names have it. */
  readonly registry: string;
  /** Below the host; empty for the registry itself. */
  readonly path: string;
}

/** Docker Hub is called so in images' names, and answers elsewhere. */
const DOCKER_HUB = "docker.io";
const DOCKER_HUB_HOST = "registry-1.docker.io";

const HOST = /^(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|\[[0-9a-fA-F:]+\]|[A-Za-z0-9-]+(?=:\d))(?::\d{1,5})?$/;
const PATH = /^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*$/;

/**
 * Reads what images' names begin with: `registry.example:5000/me`, or `me` for Docker Hub's, as in names of images.
 * @returns undefined for what is no such name
 */
export function parseRepository(text: string): Repository | undefined {
  const [first = "", ...rest] = text.replace(/\/$/, "").split("/");
  const isHost = HOST.test(first) && (rest.length > 0 || /[.:]|^localhost$/.test(first));
  const registry = isHost ? first.replace(/^(?:index\.docker\.io|registry-1\.docker\.io)$/, DOCKER_HUB) : DOCKER_HUB;
  const path = isHost ? rest.join("/") : [first, ...rest].join("/");
  return (path === "" && registry !== DOCKER_HUB) || PATH.test(path) ? { registry, path } : undefined;
}

/** The host and port that answers for a registry. */
export function registryHost(registry: string): string {
  return registry === DOCKER_HUB ? DOCKER_HUB_HOST : registry;
}

/** Whether a host (with or without a port) is this machine: the only place where a registry may go without TLS. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/.test(host);
}
