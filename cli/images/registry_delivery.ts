import { registryAuthorities } from "../../k8s/registry/registry_authorities.ts";
import { RegistryClient } from "../../k8s/registry/registry_client.ts";
import { registryCredentials } from "../../k8s/registry/registry_credentials.ts";
import { pushImages } from "../../k8s/registry/registry_push.ts";
import { registryHost, type Repository } from "../../k8s/registry/registry_repository.ts";
import type { Context } from "../command/context.ts";
import { megabytes } from "../command/terminal_text.ts";
import { pause } from "../command/timers.ts";
import { VERSION } from "../command/version.ts";
import type { SourceImage } from "./source_image.ts";

/** How often the progress of a push is reported, in milliseconds. */
const PROGRESS_MS = 3_000;

/**
 * Pushes images to a registry, each into a repository below another one, except those that are there already.
 * @param progress called with a line, without its end
 * @returns names for manifests, one for each image, in their order
 * @throws RegistryError, or ImageError if the credentials cannot be read
 */
export async function pushToRegistry(
  { registry, path }: Repository,
  images: readonly SourceImage[],
  { env, home, now, interrupted: signal }: Pick<Context, "env" | "home" | "now" | "interrupted">,
  progress: (line: string) => void,
): Promise<string[]> {
  const [credentials, authorities] = await Promise.all([
    registryCredentials(registry, path, { env, home, signal }),
    registryAuthorities(registryHost(registry), { env, home }),
  ]);
  const wait = (ms: number) => pause(ms, signal);
  using client = new RegistryClient({ registry, credentials, authorities, userAgent: `kurun/${VERSION}`, signal, pause: wait });
  const pushed = images.map(({ name, image }) => ({
    repository: path === "" ? name : `${path}/${name}`,
    tag: image.manifest.digest.slice("sha256:".length).slice(0, 20),
    image,
  }));
  const unique = [...new Map(pushed.map((one) => [`${one.repository}@${one.image.manifest.digest}`, one])).values()];
  const to = path === "" ? registry : `${registry}/${path}`;
  let sent = 0;
  let said = now();
  const missing = await pushImages(client, unique, (bytes) => {
    if (sent === 0) progress(`Pushing to ${to}`);
    sent += bytes;
    if (now() - said < PROGRESS_MS) return;
    said = now();
    progress(`Pushed ${megabytes(sent)} to ${to} so far`);
  });
  if (missing.length > 0) {
    progress(`Pushed ${missing.map(({ repository }) => repository).join(", ")} to ${registry} (${megabytes(sent)})`);
  }
  return pushed.map(({ repository, image }) => `${registry}/${repository}@${image.manifest.digest}`);
}
