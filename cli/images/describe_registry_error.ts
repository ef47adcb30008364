import type { RegistryError } from "../../k8s/registry/registry_error.ts";

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
