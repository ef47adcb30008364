/**
 * Makes image archives by ourselves: an OCI image layout (image-spec 1.1, `oci-layout`, `index.json`, `blobs/`) and Docker's
 * `manifest.json` in one tar, as `docker save` has written them since Docker 25. So one file suits `ctr images import`,
 * `docker load`, `podman load`, `kind load image-archive` and `k3d image import`.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { type ImageLayer, writeLayer } from "./image_layer.ts";
import { tar, type TarEntry, type TarFile } from "./tar.ts";

/** How a container of the image starts, in the words of the OCI image-spec's config. All but the entrypoint may stay out. */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** `uid:gid`; numeric, or Kubernetes cannot tell that it is not root (`runAsNonRoot`). */
  readonly user?: string;
  readonly workingDir?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Such as `8080/tcp`. */
  readonly exposedPorts?: readonly string[];
}

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

const MEDIA_TYPE = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
} as const;

/**
 * Writes an image archive. It appears under its name when it is whole.
 *
 * @throws TypeError for a reference without a tag
 * @throws what {@link writeLayer} throws
 */
export async function writeImageArchive(
  path: string,
  image: ImageContents,
  options: { signal?: AbortSignal } = {},
): Promise<ImageArchive> {
  const name = containerdName(image.reference);
  const work = await Deno.makeTempDir({ dir: dirname(path), prefix: ".kurun-image-" });
  const partial = `${work}/image.tar`;
  try {
    const layers: ImageLayer[] = [];
    for (const layer of image.layers) {
      layers.push("digest" in layer ? layer : await writeLayer(`${work}/${layers.length}`, layer, options));
    }
    const config = jsonBlob(imageConfig(image, layers));
    const manifest = jsonBlob({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.manifest,
      config: { mediaType: MEDIA_TYPE.config, digest: config.digest, size: config.contents.length },
      layers: layers.map(({ digest, bytes }) => ({ mediaType: MEDIA_TYPE.layer, digest, size: bytes })),
    });
    const index = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.index,
      manifests: [{
        mediaType: MEDIA_TYPE.manifest,
        digest: manifest.digest,
        size: manifest.contents.length,
        platform: image.platform,
        annotations: { "io.containerd.image.name": name.full, "org.opencontainers.image.ref.name": name.tag },
      }],
    };
    const dockerManifest = [{
      Config: blobPath(config.digest),
      RepoTags: [image.reference],
      Layers: layers.map(({ digest }) => blobPath(digest)),
    }];
    // Two layers with the same bytes are one blob.
    const blobs = new Map<string, TarFile["contents"]>();
    for (const layer of layers) blobs.set(layer.digest, { copyOf: layer.path });
    blobs.set(config.digest, config.contents).set(manifest.digest, manifest.contents);
    const bytes = await writeTar(partial, [
      { type: "directory", path: "blobs" },
      { type: "directory", path: "blobs/sha256" },
      ...[...blobs].sort(([a], [b]) => a < b ? -1 : 1).map(([digest, contents]): TarFile => ({
        type: "file",
        path: blobPath(digest),
        contents,
      })),
      { type: "file", path: "index.json", contents: json(index) },
      { type: "file", path: "manifest.json", contents: json(dockerManifest) },
      { type: "file", path: "oci-layout", contents: json({ imageLayoutVersion: "1.0.0" }) },
    ], options.signal);
    await Deno.rename(partial, path);
    return { path, digest: manifest.digest, bytes };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** The image-spec's config object, with the fields that were given only. */
function imageConfig(image: ImageContents, layers: ImageLayer[]): unknown {
  const created = (image.created ?? new Date(0)).toISOString();
  const { config } = image;
  return {
    created,
    ...image.platform,
    config: {
      Entrypoint: config.entrypoint,
      ...config.cmd && { Cmd: config.cmd },
      ...config.env && { Env: Object.entries(config.env).map(([key, value]) => `${key}=${value}`) },
      ...config.user !== undefined && { User: config.user },
      ...config.workingDir !== undefined && { WorkingDir: config.workingDir },
      ...config.labels && { Labels: config.labels },
      ...config.exposedPorts && { ExposedPorts: Object.fromEntries(config.exposedPorts.map((port) => [port, {}])) },
    },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created, created_by: "kurun" })),
  };
}

/**
 * What containerd files the image under: short names mean Docker Hub there, and Kubernetes asks for them in full.
 * @throws TypeError for a reference without a tag
 */
function containerdName(reference: string): { full: string; tag: string } {
  const match = /^(?<name>[^@\s]+):(?<tag>\w[\w.-]{0,127})$/.exec(reference);
  const { name, tag } = match?.groups ?? {};
  if (!name || !tag) throw new TypeError(`"${reference}" is no image name with a tag, such as example.com/app:1`);
  const [first, ...rest] = name.split("/");
  const hasHost = rest.length > 0 && /[.:]|^localhost$/.test(first ?? "");
  const full = hasHost ? name : rest.length > 0 ? `docker.io/${name}` : `docker.io/library/${name}`;
  return { full: `${full}:${tag}`, tag };
}

async function writeTar(path: string, entries: TarEntry[], signal?: AbortSignal): Promise<number> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  let bytes = 0;
  for await (const chunk of tar(entries)) {
    signal?.throwIfAborted();
    for (let written = 0; written < chunk.length;) written += await file.write(chunk.subarray(written));
    bytes += chunk.length;
  }
  return bytes;
}

function jsonBlob(value: unknown): { contents: Uint8Array; digest: string } {
  const contents = json(value);
  return { contents, digest: `sha256:${createHash("sha256").update(contents).digest("hex")}` };
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}
