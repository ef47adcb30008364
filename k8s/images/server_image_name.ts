/** The image's name, without the registry. */
const REPOSITORY = "kurun-dev/server";

/** The name of kurun's own image of a version. */
export function serverImageReference(version: string): string {
  return `ghcr.io/${REPOSITORY}:${version}`;
}

/**
 * Whether an image is kurun's own of this version, in any registry. It contains the server, so its session needs no ConfigMap. Under another
 * name the image works too, with a ConfigMap.
 *
 * @param image its name, with or without a digest
 */
export function isServerImage(image: string, version: string): boolean {
  return `/${image.replace(/@.*/, "")}`.endsWith(`/${REPOSITORY}:${version}`);
}
