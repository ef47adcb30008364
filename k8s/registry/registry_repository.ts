/** A repository, or the prefix of several. */
export interface Repository {
  /** Host and port as image names spell it. */
  readonly registry: string;
  /** The path below the host; empty for the registry itself. */
  readonly path: string;
}

/** Docker Hub's name in image names; its registry answers at another host. */
const DOCKER_HUB = "docker.io";
const DOCKER_HUB_HOST = "registry-1.docker.io";

const HOST = /^(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|\[[0-9a-fA-F:]+\]|[A-Za-z0-9-]+(?=:\d))(?::\d{1,5})?$/;
const PATH = /^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*$/;

/** Reads the prefix of image names: `registry.example:5000/me`, or `me` for Docker Hub's user. @returns undefined for anything else */
export function parseRepository(text: string): Repository | undefined {
  const [first = "", ...rest] = text.replace(/\/$/, "").split("/");
  const isHost = HOST.test(first) && (rest.length > 0 || /[.:]|^localhost$/.test(first));
  if (isHost && !URL.canParse(`https://${first}`)) return undefined; // port 99999, or 300.0.0.1
  const registry = isHost ? first.replace(/^(?:index\.docker\.io|registry-1\.docker\.io)$/, DOCKER_HUB) : DOCKER_HUB;
  const path = isHost ? rest.join("/") : [first, ...rest].join("/");
  return (path === "" && registry !== DOCKER_HUB) || PATH.test(path) ? { registry, path } : undefined;
}

/** The host and port where a registry answers. */
export function registryHost(registry: string): string {
  return registry === DOCKER_HUB ? DOCKER_HUB_HOST : registry;
}

/** Whether a host, with or without a port, is this machine: only here may a registry go without TLS. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/.test(host);
}
