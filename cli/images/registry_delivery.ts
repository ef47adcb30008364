import { registryAuthorities } from "../../k8s/registry/registry_authorities.ts";
import { RegistryClient } from "../../k8s/registry/registry_client.ts";
import type { RegistryError } from "../../k8s/registry/registry_error.ts";
import { registryCredentials } from "../../k8s/registry/registry_credentials.ts";
import { pushImages } from "../../k8s/registry/registry_push.ts";
import { parseRepository, registryHost } from "../../k8s/registry/registry_repository.ts";
import type { Context } from "../command/context.ts";
import { type Delivery, megabytes } from "./delivery.ts";
import { usageError } from "../command/errors.ts";
import { pause } from "../command/timers.ts";
import { VERSION } from "../command/version.ts";

/** How often the progress of a push is reported, in milliseconds. */
const PROGRESS_MS = 3_000;

/**
 * Pushes images to a registry, each into a repository below `repo`.
 * @throws UserError where `repo` is not the name of a repository
 */
export function registryDelivery(repo: string, context: Pick<Context, "env" | "home" | "now">): Delivery {
  const parsed = parseRepository(repo);
  if (!parsed) {
    throw usageError(
      `--repo ${repo} is not a repository: expected a name such as registry.example/me, or me for Docker Hub, ` +
        "with lower-case letters, digits, and . _ - between them",
    );
  }
  const { registry, path } = parsed;
  return async (images, progress, signal) => {
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
    const missing = await pushImages(client, unique, (bytes) => {
      if (sent === 0) progress(`Pushing to ${repo}`);
      sent += bytes;
      if (context.now() - said < PROGRESS_MS) return;
      said = context.now();
      progress(`Pushed ${megabytes(sent)} to ${repo} so far`);
    });
    if (missing.length > 0) {
      progress(`Pushed ${missing.map(({ repository }) => repository).join(", ")} to ${registry} (${megabytes(sent)})`);
    }
    return pushed.map(({ repository, image }) => `${registry}/${repository}@${image.manifest.digest}`);
  };
}

/** Why a registry could not be used, and what to do. */
export function describeRegistryError({ registry, doing, failure }: RegistryError): string {
  const push = doing === "reach it" ? "" : ` to ${doing}`;
  switch (failure.is) {
    case "unreachable":
      return `the registry ${registry} cannot be reached: ${failure.said}\n${
        /certificate/i.test(failure.said)
          ? `If you trust it, put its CA certificate into /etc/docker/certs.d/${registry}/ca.crt, or into the file that SSL_CERT_FILE names.`
          : "Check its name, its port and the network."
      }`;
    case "unauthorized":
      return failure.credentials === undefined
        ? `the registry ${registry} requires a login${push} (${failure.said || "401"})\n` +
          `Run docker login ${registry}, or podman login ${registry}: kurun uses the credentials that they store.`
        : `the registry ${registry} does not accept the credentials in ${failure.credentials}${push} (${failure.said || "401"})\n` +
          `Run docker login ${registry} again, or choose a repository that you may push to.`;
    case "denied":
      return `the registry ${registry} does not let ${
        failure.credentials === undefined ? "anonymous users" : `the user in ${failure.credentials}`
      } ${doing} (${failure.said || "403"})\n` +
        `Check the repository's name, and that it exists${failure.credentials === undefined ? `; or run docker login ${registry}` : ""}.`;
    case "answered": {
      const hint = failure.status === 415 ? "\nIt may not support OCI images (image-spec 1.0 or newer)." : "";
      return `cannot ${doing} to the registry ${registry}: it answered ${failure.status}${failure.said ? `: ${failure.said}` : ""}${hint}`;
    }
    case "strange":
      return `cannot ${doing === "reach it" ? "use" : `${doing} to`} the registry ${registry}: ${failure.said}`;
  }
}
