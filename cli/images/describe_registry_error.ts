import type { RegistryError } from "../../k8s/registry/registry_error.ts";

/** Why a registry could not be used, and what to do. */
export function describeRegistryError({ registry, doing, failure }: RegistryError): string {
  const tried = `the registry ${registry} was to ${doing === "reach it" ? "answer" : `be ${doing.replace(/^push /, "sent ")}`}`;
  switch (failure.is) {
    case "unreachable":
      return `${tried}, and cannot be reached: ${failure.said}; is its name right, and the network there?`;
    case "unauthorized":
      return failure.credentials === undefined
        ? `${tried}, and wants to know who you are (${
          failure.said || "401"
        }): docker login ${registry}, or podman login, and kurun finds what they leave`
        : `${tried}, and does not accept the credentials in ${failure.credentials} for that (${failure.said || "401"}): ` +
          `docker login ${registry} again, or choose a repository that you may push to`;
    case "denied":
      return `${tried}, and does not let ${
        failure.credentials === undefined ? "just anybody" : `the user in ${failure.credentials}`
      } push there ` +
        `(${failure.said || "403"}): is the repository's name right, and does it exist?`;
    case "answered":
      return `${tried}, and answered ${failure.status}${failure.said ? `: ${failure.said}` : ""}`;
    case "strange":
      return `${tried}, but ${failure.said}`;
  }
}
