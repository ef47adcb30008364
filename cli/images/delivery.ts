import type { OciImage } from "../../k8s/images/oci_image.ts";

/** An image to bring to the cluster. */
export interface DeliverableImage {
  /** The last part of the image's name. */
  readonly name: string;
  readonly image: OciImage;
}

/** The result of a delivery. */
export interface Delivered {
  /** Names for manifests, one for each image, in their order. */
  readonly references: readonly string[];
  /** How many images were sent; the others were there already. */
  readonly sent: number;
}

/** A way of bringing images to a cluster. */
export interface Delivery {
  /** The destination, for messages. */
  readonly to: string;
  /** Brings images there, except those that are there already. */
  deliver(images: readonly DeliverableImage[], options: DeliveryOptions): Promise<Delivered>;
}

/** Options for {@linkcode Delivery.deliver}. */
export interface DeliveryOptions {
  /** Called with a line, without its end, before each slow step. */
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/** The registry in the names of images that have none. Nothing answers there: a node that has lost an image fails with this name. */
export const LOCAL_REPOSITORY = "kurun.local";

/** A number of bytes as text. */
export function megabytes(bytes: number): string {
  if (bytes < 1e5) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0)} MB`;
}

/** The compressed size of all layers of images, each layer counted once. */
export function layerBytes(images: readonly DeliverableImage[]): number {
  const layers = new Map(images.flatMap(({ image }) => image.layers).map(({ digest, bytes }) => [digest, bytes]));
  return [...layers.values()].reduce((sum, bytes) => sum + bytes, 0);
}
