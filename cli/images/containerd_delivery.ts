import { containerdImages, importImages } from "../../k8s/images/containerd.ts";
import { type Delivery, LOCAL_REPOSITORY, megabytes } from "./delivery.ts";

/** Brings images into a containerd on this machine under names with their digests, which the kubelet finds without pulling. */
export function containerdDelivery(socket: string): Delivery {
  return {
    to: `containerd (${socket})`,
    async deliver(images, { progress, signal }) {
      const references = images.map(({ name, image }) => `${LOCAL_REPOSITORY}/${name}@${image.manifest.digest}`);
      const there = await containerdImages(references, { socket, signal });
      const missing = new Map(
        images.map((one, at) => ({ ...one, reference: references[at] as string }))
          .filter(({ reference }) => !there.has(reference)).map((one) => [one.reference, one]),
      );
      if (missing.size > 0) {
        const sent = [...missing.values()];
        const what = sent.map(({ name }) => name).join(", ");
        await importImages(sent, { socket, signal }, (bytes) => progress(`Bringing ${what} to containerd (${megabytes(bytes)})`));
      }
      return { references, sent: missing.size };
    },
  };
}
