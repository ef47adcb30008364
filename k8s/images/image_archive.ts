/**
 * Writes image archives: an OCI image layout (image-spec 1.1: `oci-layout`, `index.json`, `blobs/`) and Docker's `manifest.json` in one tar,
 * as `docker save` does since Docker 25. `ctr images import`, `docker load`, `podman load`, `kind load image-archive` and `k3d image import`
 * all read it.
 *
 * @module
 */
import { dirname } from "node:path";
import { type ImageLayer, writeLayer } from "./image_layer.ts";
import { encodeJson, type ImageDescription, MEDIA_TYPE, type OciImage, ociImage } from "./oci_image.ts";
import { removedAtEnd } from "./temporary_folder.ts";
import { type FileContents, tar, type TarEntry } from "./tar.ts";

/** The contents of an archive of one image. */
export interface ImageContents extends ImageDescription {
  /** The image's name with its tag, such as `ghcr.io/kurun-dev/server:1.0.0`. */
  readonly reference: string;
  /** The lowest first: entries to pack, or packed layers. */
  readonly layers: readonly (readonly TarEntry[] | ImageLayer)[];
}

/** An archive on disk. `digest` is the manifest's, which `NAME@sha256:…` refers to. */
export type ImageArchive = { readonly path: string; readonly digest: string; readonly bytes: number };

/** An image and its name: `NAME:TAG`, or `NAME@sha256:…`, which containerd accepts and Docker does not. */
export interface NamedImage {
  readonly image: OciImage;
  readonly reference: string;
}

/**
 * Writes an archive of one image, which appears under its name when it is complete.
 * @throws TypeError for a reference without a tag, and what {@link writeLayer} throws
 */
export async function writeImageArchive(
  path: string,
  contents: ImageContents,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<ImageArchive> {
  const { reference } = contents;
  parseReference(reference);
  const work = await Deno.makeTempDir({ dir: dirname(path), prefix: ".kurun-image-" });
  await using _ = removedAtEnd(work);
  const partial = `${work}/image.tar`;
  const layers: ImageLayer[] = [];
  for (const layer of contents.layers) {
    layers.push("digest" in layer ? layer : await writeLayer(`${work}/${layers.length}`, layer, options));
  }
  const image = ociImage(contents, layers);
  await writeArchive(partial, [{ image, reference }], options.signal);
  await Deno.rename(partial, path);
  return { path, digest: image.manifest.digest, bytes: (await Deno.stat(path)).size };
}

/**
 * The files of an archive of several images, for {@link tar}. Blobs that images share are written once.
 * @param without the digests of blobs that the reader has
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
  const blobs = new Map<string, FileContents>();
  for (const { image: { layers, config, manifest } } of images) {
    for (const layer of layers) blobs.set(layer.digest, { copyOf: layer.path });
    blobs.set(config.digest, config.contents).set(manifest.digest, manifest.contents);
  }
  for (const digest of without) blobs.delete(digest);
  return [
    { type: "directory", path: "blobs" },
    { type: "directory", path: "blobs/sha256" },
    ...[...blobs].sort(([a], [b]) => a < b ? -1 : 1).map(([digest, contents]) =>
      ({ type: "file", path: blobPath(digest), contents }) as const
    ),
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
 * The full name, which containerd stores and Kubernetes asks for: a short name means Docker Hub.
 * @throws TypeError for a reference with neither tag nor digest
 */
function parseReference(reference: string): { full: string; tag: string | undefined } {
  const match = /^(?<name>[^@\s]+?)(?:@(?<digest>sha256:[0-9a-f]{64})|:(?<tag>\w[\w.-]{0,127}))$/.exec(reference);
  const { name, tag, digest } = match?.groups ?? {};
  if (!name) throw new TypeError(`"${reference}" is not an image name with a tag, such as example.com/app:1`);
  const [first, ...rest] = name.split("/");
  const hasHost = rest.length > 0 && /[.:]|^localhost$/.test(first ?? "");
  const full = hasHost ? name : rest.length > 0 ? `docker.io/${name}` : `docker.io/library/${name}`;
  return { full: tag === undefined ? `${full}@${digest}` : `${full}:${tag}`, tag };
}

/** Writes an archive of several images. @throws what {@link archiveEntries} and {@link tar} throw, or the signal's reason */
export async function writeArchive(path: string, images: readonly NamedImage[], signal?: AbortSignal): Promise<void> {
  const file = await Deno.open(path, { write: true, create: true, truncate: true });
  await ReadableStream.from(tar(archiveEntries(images))).pipeTo(file.writable, signal ? { signal } : {});
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}
