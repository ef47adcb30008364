/**
 * Makes image archives by ourselves: an OCI image layout (image-spec 1.1, `oci-layout`, `index.json`, `blobs/`) and Docker's
 * `manifest.json` in one tar, as `docker save` has written them since Docker 25. So one file suits `ctr images import`,
 * `docker load`, `podman load`, `kind load image-archive` and `k3d image import`.
 *
 * @module
 */
import { dirname } from "node:path";
import { type ImageLayer, writeLayer } from "./image_layer.ts";
import { encodeJson, type ImageConfig, MEDIA_TYPE, type OciImage, ociImage } from "./oci_image.ts";
import { tar, type TarEntry, type TarFile } from "./tar.ts";

/** What {@link writeImageArchive} packs. */
export interface ImageContents {
  /** The image's name with its tag, such as `ghcr.io/kurun-dev/server:1.0.0`. */
  readonly reference: string;
  readonly platform: { readonly os: string; readonly architecture: string };
  readonly config: ImageConfig;
  /** From the lowest up: entries to pack, or layers that are packed already. */
  readonly layers: readonly (readonly TarEntry[] | ImageLayer)[];
  /** When the image says that it was made. @default 1970, so that the same contents are the same image */
  readonly created?: Date;
}

/** What {@link writeImageArchive} made. */
export interface ImageArchive {
  readonly path: string;
  /** The manifest's digest: what `NAME@sha256:…` refers to. */
  readonly digest: string;
  /** The archive's size. */
  readonly bytes: number;
}

/** An image, and what it is called where the archive is read. */
export interface NamedImage {
  readonly image: OciImage;
  /** `NAME:TAG`, or `NAME@sha256:…`, which containerd takes and Docker does not. */
  readonly reference: string;
}

/**
 * Writes an image archive. It appears under its name when it is whole.
 *
 * @throws TypeError for a reference without a tag
 * @throws what {@link writeLayer} throws
 */
export async function writeImageArchive(
  path: string,
  contents: ImageContents,
  options: { signal?: AbortSignal } = {},
): Promise<ImageArchive> {
  const { reference, platform, config, created } = contents;
  parseReference(reference);
  const work = await Deno.makeTempDir({ dir: dirname(path), prefix: ".kurun-image-" });
  const partial = `${work}/image.tar`;
  try {
    const layers: ImageLayer[] = [];
    for (const layer of contents.layers) {
      layers.push("digest" in layer ? layer : await writeLayer(`${work}/${layers.length}`, layer, options));
    }
    const image = ociImage({ platform, config, layers, ...created && { created } });
    const bytes = await writeArchive(partial, [{ image, reference }], options.signal);
    await Deno.rename(partial, path);
    return { path, digest: image.manifest.digest, bytes };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/**
 * The files of an archive of several images, for {@link tar}; what images share is there once.
 * @param without digests of what the reader has already
 * @throws TypeError for a reference with neither tag nor digest
 */
export function archiveEntries(images: readonly NamedImage[], without: ReadonlySet<string> = new Set()): TarEntry[] {
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: images.map(indexEntry) };
  const dockerManifest = images.filter(({ reference }) => !reference.includes("@")).map(({ image, reference }) => ({
    Config: blobPath(image.config.digest),
    RepoTags: [reference],
    Layers: image.layers.map(({ digest }) => blobPath(digest)),
  }));
  // Two layers with the same bytes are one blob.
  const blobs = new Map<string, TarFile["contents"]>();
  for (const { image: { layers, config, manifest } } of images) {
    for (const layer of layers) blobs.set(layer.digest, { copyOf: layer.path });
    blobs.set(config.digest, config.contents).set(manifest.digest, manifest.contents);
  }
  for (const digest of without) blobs.delete(digest);
  return [
    { type: "directory", path: "blobs" },
    { type: "directory", path: "blobs/sha256" },
    ...[...blobs].sort(([a], [b]) => a < b ? -1 : 1).map(([digest, contents]): TarFile => ({
      type: "file",
      path: blobPath(digest),
      contents,
    })),
    { type: "file", path: "index.json", contents: encodeJson(index) },
    ...dockerManifest.length > 0 ? [{ type: "file", path: "manifest.json", contents: encodeJson(dockerManifest) } as const] : [],
    { type: "file", path: "oci-layout", contents: encodeJson({ imageLayoutVersion: "1.0.0" }) },
  ];
}

function indexEntry({ image: { manifest, platform }, reference }: NamedImage): unknown {
  const { full, tag } = parseReference(reference);
  return {
    mediaType: MEDIA_TYPE.manifest,
    digest: manifest.digest,
    size: manifest.contents.length,
    platform,
    annotations: { "io.containerd.image.name": full, ...tag !== undefined && { "org.opencontainers.image.ref.name": tag } },
  };
}

/**
 * What containerd files the image under: short names mean Docker Hub there, and Kubernetes asks for them in full.
 * @throws TypeError for a reference with neither tag nor digest
 */
function parseReference(reference: string): { full: string; tag: string | undefined } {
  const match = /^(?<name>[^@\s]+?)(?:@(?<digest>sha256:[0-9a-f]{64})|:(?<tag>\w[\w.-]{0,127}))$/.exec(reference);
  const { name, tag, digest } = match?.groups ?? {};
  if (!name) throw new TypeError(`"${reference}" is no image name with a tag, such as example.com/app:1`);
  const [first, ...rest] = name.split("/");
  const hasHost = rest.length > 0 && /[.:]|^localhost$/.test(first ?? "");
  const full = hasHost ? name : rest.length > 0 ? `docker.io/${name}` : `docker.io/library/${name}`;
  return { full: tag === undefined ? `${full}@${digest}` : `${full}:${tag}`, tag };
}

/**
 * Writes an archive of several images.
 * @returns its bytes
 * @throws what {@link archiveEntries} and {@link tar} throw, or the signal's reason
 */
export async function writeArchive(path: string, images: readonly NamedImage[], signal?: AbortSignal): Promise<number> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  let bytes = 0;
  for await (const chunk of tar(archiveEntries(images))) {
    signal?.throwIfAborted();
    for (let written = 0; written < chunk.length;) written += await file.write(chunk.subarray(written));
    bytes += chunk.length;
  }
  return bytes;
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}
