import { registryAuthorities } from "../../k8s/registry/registry_authorities.ts";
import { RegistryClient } from "../../k8s/registry/registry_client.ts";
import { registryCredentials } from "../../k8s/registry/registry_credentials.ts";
import { pushImages } from "../../k8s/registry/registry_push.ts";
import { parseRepository, registryHost } from "../../k8s/registry/registry_repository.ts";
import type { Context } from "../command/context.ts";
import { type Delivery, megabytes } from "./delivery.ts";
import { usageError } from "../command/errors.ts";
import { pause } from "../command/pause.ts";
import { VERSION } from "../command/version.ts";

/** A line tells how far a push is, this often, in milliseconds. */
const PROGRESS_MS = 3_000;

/**
 * Pushes images into repositories of a registry, each below the one that was named.
 * @throws UserError where the name is none
 */
export function registryDelivery(repo: string, context: Pick<Context, "env" | "home" | "now">): Delivery {
  const parsed = parseRepository(repo);
  if (!parsed) {
    throw usageError(
      `--repo ${repo} is no name of a repository, such as registry.example/me, or me for Docker Hub's: ` +
        "lower-case letters, digits, and . _ - in between",
    );
  }
  const { registry, path } = parsed;
  return {
    to: repo,
    async deliver(images, { progress, signal }) {
      const [credentials, authorities] = await Promise.all([
        registryCredentials(registry, path, { env: context.env, home: context.home, signal }),
        registryAuthorities(registryHost(registry), context),
      ]);
      using client = new RegistryClient({
        registry,
        credentials,
        authorities,
        userAgent: `kurun/${VERSION}`,
        signal,
        pause: (ms) => pause(ms, signal),
      });
      const pushed = images.map(({ name, image }) => ({
        repository: path === "" ? name : `${path}/${name}`,
        tag: image.manifest.digest.slice("sha256:".length).slice(0, 20),
        image,
      }));
      const unique = [...new Map(pushed.map((one) => [`${one.repository}@${one.image.manifest.digest}`, one])).values()];
      let sent = 0;
      let said = context.now();
      const missing = await pushImages(client, unique, {
        sent(bytes) {
          if (sent === 0) progress(`Pushing to ${repo}`);
          sent += bytes;
          if (context.now() - said < PROGRESS_MS) return;
          said = context.now();
          progress(`Pushed ${megabytes(sent)} to ${repo} so far`);
        },
      });
      if (missing.length > 0) {
        progress(`Pushed ${missing.map(({ repository }) => repository).join(", ")} to ${registry} (${megabytes(sent)})`);
      }
      return {
        references: pushed.map(({ repository, image }) => `${registry}/${repository}@${image.manifest.digest}`),
        sent: missing.length,
      };
    },
  };
}
