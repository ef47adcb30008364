import type { OciImage } from "../../k8s/images/oci_image.ts";

/** An image to bring to the cluster. */
export interface DeliverableImage {
  /** The last part of the image's name. */
  readonly name: string;
  readonly image: OciImage;
}

/**
 * Brings images to a cluster, except those that are there already.
 *
 * @param progress called with a line, without its end, before each slow step
 * @returns names for manifests, one for each image, in their order
 */
export type Delivery = (images: readonly DeliverableImage[], progress: (line: string) => void, signal: AbortSignal) => Promise<string[]>;

/** A number of bytes as text. */
export function megabytes(bytes: number): string {
  if (bytes < 1e5) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0)} MB`;
}
