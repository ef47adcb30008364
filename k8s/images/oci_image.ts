/** Images of the OCI image-spec 1.1: a config and a manifest as JSON, over packed layers. Pure. @module */
import { createHash } from "node:crypto";
import type { ImageLayer } from "./image_layer.ts";

/** How a container of the image starts (OCI image-spec, config). */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** `uid:gid`, as numbers: Kubernetes cannot check names for `runAsNonRoot`. */
  readonly user?: string;
  readonly workingDir?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** An image without its layers. The platform is written as Go names it. */
export interface ImageDescription {
  readonly platform: OciImage["platform"];
  readonly config: ImageConfig;
}

/** A config or a manifest. The digest is `sha256:` and hex digits. */
export interface ImageBlob {
  readonly mediaType: string;
  readonly digest: string;
  readonly contents: Uint8Array<ArrayBuffer>;
}

/** An image. */
export interface OciImage {
  readonly platform: { readonly os: string; readonly architecture: string };
  /** Its digest is what `NAME@sha256:…` refers to. */
  readonly manifest: ImageBlob;
  readonly config: ImageBlob;
  /** The lowest first. */
  readonly layers: readonly ImageLayer[];
}

/** The image-spec's media types. */
export const MEDIA_TYPE = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
} as const;

/** Makes an image from layers. The same layers and config give the same image, byte for byte. */
export function ociImage({ platform, config }: ImageDescription, layers: readonly ImageLayer[]): OciImage {
  const created = new Date(0).toISOString(); // a real time would make images differ
  const configObject = {
    created,
    ...platform,
    config: {
      Entrypoint: config.entrypoint,
      ...config.cmd && { Cmd: config.cmd },
      ...config.env && { Env: Object.entries(config.env).map(([key, value]) => `${key}=${value}`) },
      ...config.user !== undefined && { User: config.user },
      ...config.workingDir !== undefined && { WorkingDir: config.workingDir },
      ...config.labels && { Labels: config.labels },
    },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created, created_by: "kurun" })),
  };
  return imageOfConfig(platform, encodeJson(configObject), layers);
}

/** Makes an image with a config that another program wrote. @param config its bytes, used unchanged */
export function imageOfConfig(
  platform: OciImage["platform"],
  config: Uint8Array<ArrayBuffer>,
  layers: readonly ImageLayer[],
): OciImage {
  const configBlob = blob(MEDIA_TYPE.config, config);
  const manifest = encodeJson({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: { mediaType: MEDIA_TYPE.config, digest: configBlob.digest, size: config.length },
    layers: layers.map(({ digest, bytes }) => ({ mediaType: MEDIA_TYPE.layer, digest, size: bytes })),
  });
  return { platform, config: configBlob, manifest: blob(MEDIA_TYPE.manifest, manifest), layers };
}

/** JSON as bytes; keys keep their order. */
export function encodeJson(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

function blob(mediaType: string, contents: Uint8Array<ArrayBuffer>): ImageBlob {
  return { mediaType, digest: `sha256:${createHash("sha256").update(contents).digest("hex")}`, contents };
}
