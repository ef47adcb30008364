import type { ImageLayer } from "../images/image_layer.ts";
import { MEDIA_TYPE, type OciImage } from "../images/oci_image.ts";
import type { RegistryClient } from "./registry_client.ts";
import { RegistryError } from "./registry_error.ts";

/** What goes into a repository. */
export interface PushedImage {
  /** Below the registry's host. */
  readonly repository: string;
  /** So that the registry's clean-up does not take what has only a digest. */
  readonly tag: string;
  readonly image: OciImage;
}

/** How a push talks. */
export interface PushOptions {
  /** Gets the bytes of each piece that was sent. */
  readonly sent: (bytes: number) => void;
}

/** A layer on disk, or a config in memory. */
interface Blob {
  readonly digest: string;
  readonly bytes: number;
  readonly contents: Uint8Array | { readonly path: string };
}

const READ_BYTES = 256 * 1024;
/** How often a blob is uploaded whose upload breaks. */
const UPLOAD_TRIES = 3;

/**
 * Pushes images that a registry lacks. Blobs that a repository has are not sent, those that another of the same push has are mounted from
 * there.
 *
 * @returns which were not there
 * @throws RegistryError
 */
export async function pushImages(client: RegistryClient, images: readonly PushedImage[], options: PushOptions): Promise<PushedImage[]> {
  const there = await Promise.all(images.map((image) => isThere(client, image)));
  const missing = images.filter((_, at) => !there[at]);
  /** The repository that has a blob, once it has it. */
  const homes = new Map<string, Promise<string>>();
  await Promise.all(missing.map(async (image) => {
    await Promise.all(
      blobsOf(image.image).map((blob) => {
        const home = homes.get(blob.digest);
        const here = pushBlob(client, image.repository, blob, home, options);
        if (!home) homes.set(blob.digest, here);
        return here;
      }),
    );
    await putManifest(client, image);
  }));
  return missing;
}

function scopeOf(repository: string): string {
  return `repository:${repository}:pull,push`;
}

/** Whether the repository has the image's manifest: then it has all of it. */
async function isThere(client: RegistryClient, { repository, image, tag }: PushedImage): Promise<boolean> {
  const { status, headers } = await client.request({
    method: "HEAD",
    // By the tag, so that it is there afterwards too.
    target: `/v2/${repository}/manifests/${tag}`,
    headers: { Accept: MEDIA_TYPE.manifest },
    scopes: [scopeOf(repository)],
    doing: `push ${repository}`,
    accept: [404],
  });
  return status === 200 && headers.get("docker-content-digest") === image.manifest.digest;
}

function blobsOf({ config, layers }: OciImage): Blob[] {
  const unique = new Map<string, ImageLayer>(layers.map((layer) => [layer.digest, layer]));
  return [
    { digest: config.digest, bytes: config.contents.length, contents: config.contents },
    ...[...unique.values()].map(({ digest, bytes, path }) => ({ digest, bytes, contents: { path } })),
  ];
}

/** @param home another repository that has the blob or is about to @returns the repository */
async function pushBlob(
  client: RegistryClient,
  repository: string,
  blob: Blob,
  home: Promise<string> | undefined,
  options: PushOptions,
): Promise<string> {
  const from = await home;
  if (from === repository) return repository;
  const scopes = [scopeOf(repository), ...from === undefined ? [] : [`repository:${from}:pull`]];
  const call = { scopes, doing: `push ${repository}` };
  const there = await client.request({ ...call, method: "HEAD", target: `/v2/${repository}/blobs/${blob.digest}`, accept: [404] });
  if (there.status === 200) return repository;
  const mount = from === undefined ? "" : `?mount=${blob.digest}&from=${encodeURIComponent(from)}`;
  for (let attempt = 1;; attempt++) {
    const begun = await client.request({ ...call, method: "POST", target: `/v2/${repository}/blobs/uploads/${mount}` });
    if (begun.status === 201) return repository;
    try {
      await upload(client, blob, begun.headers.get("location"), call, options);
      return repository;
    } catch (error) {
      // What came of the bytes is not known, so a new upload is begun.
      if (attempt === UPLOAD_TRIES || !isPassing(error)) throw error;
    }
  }
}

function isPassing(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false;
  const { failure } = error;
  return failure.is === "unreachable" || failure.is === "answered" && (failure.status >= 500 || [400, 404, 416].includes(failure.status));
}

/** As Docker does it, since every registry knows that: all bytes in one PATCH of unknown length, then a PUT that says their digest. */
async function upload(
  client: RegistryClient,
  blob: Blob,
  location: string | null,
  call: { readonly scopes: readonly string[]; readonly doing: string },
  { sent }: PushOptions,
): Promise<void> {
  if (location === null) throw new RegistryError(client.registry, call.doing, { is: "strange", said: "it gave no place to upload to" });
  const headers = { "Content-Type": "application/octet-stream" };
  const once = { ...call, headers, once: true };
  let taken = 0;
  const count = (bytes: number) => {
    taken += bytes;
    sent(bytes);
  };
  const stored = await client.request({ ...once, method: "PATCH", target: location, body: () => pieces(blob, count), taken: () => taken });
  const place = stored.headers.get("location") ?? location;
  const target = `${place}${place.includes("?") ? "&" : "?"}digest=${encodeURIComponent(blob.digest)}`;
  // To look at all bytes again takes a registry its time.
  await client.request({ ...once, method: "PUT", target, body: () => new Uint8Array(0), taken: () => 0 });
}

function pieces({ contents }: Blob, sent: (bytes: number) => void): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from((async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    if (contents instanceof Uint8Array) {
      sent(contents.length);
      yield contents as Uint8Array<ArrayBuffer>;
      return;
    }
    using file = await Deno.open(contents.path);
    while (true) {
      const buffer = new Uint8Array(READ_BYTES);
      const read = await file.read(buffer);
      if (read === null) return;
      sent(read);
      yield buffer.subarray(0, read);
    }
  })());
}

async function putManifest(client: RegistryClient, { repository, tag, image: { manifest } }: PushedImage): Promise<void> {
  const doing = `push ${repository}`;
  const { headers } = await client.request({
    method: "PUT",
    target: `/v2/${repository}/manifests/${tag}`,
    headers: { "Content-Type": manifest.mediaType },
    body: () => manifest.contents as Uint8Array<ArrayBuffer>,
    scopes: [scopeOf(repository)],
    doing,
  });
  const digest = headers.get("docker-content-digest");
  if (digest !== null && digest !== manifest.digest) {
    throw new RegistryError(client.registry, doing, { is: "strange", said: `it took the image as ${digest}, which is not what was sent` });
  }
}
