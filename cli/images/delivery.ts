import type { OciImage } from "../../k8s/images/oci_image.ts";

/** An image that is to be brought to the cluster. */
export interface DeliverableImage {
  /** Fit for the last part of an image's name. */
  readonly name: string;
  readonly image: OciImage;
}

/** What became of images. */
export interface Delivered {
  /** What goes into manifests, one for each image, in their order. */
  readonly references: readonly string[];
  /** How many were not there already. */
  readonly sent: number;
}

/** A way of bringing images to a cluster. */
export interface Delivery {
  /** Where to, for people. */
  readonly to: string;
  /** Brings images there; what is there already is not sent again. */
  deliver(images: readonly DeliverableImage[], options: DeliveryOptions): Promise<Delivered>;
}

/** How {@linkcode Delivery.deliver} talks, and when it ends. */
export interface DeliveryOptions {
  /** Gets a line, without its end, before what takes its time. */
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/** What images are called where no registry gives them a name. Nothing answers there: a node that lost one says so by this name. */
export const LOCAL_REPOSITORY = "kurun.local";

/** Bytes for people. */
export function megabytes(bytes: number): string {
  if (bytes < 1e5) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0)} MB`;
}

/** Compressed bytes of all layers of images, each once. */
export function layerBytes(images: readonly DeliverableImage[]): number {
  const layers = new Map(images.flatMap(({ image }) => image.layers).map(({ digest, bytes }) => [digest, bytes]));
  return [...layers.values()].reduce((sum, bytes) => sum + bytes, 0);
}
