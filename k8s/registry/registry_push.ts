import { MEDIA_TYPE, type OciImage } from "../images/oci_image.ts";
import type { RegistryClient, RegistryRequest } from "./registry_client.ts";
import { RegistryError } from "./registry_error.ts";

/** An image and where it goes. */
export interface PushedImage {
  /** Below the registry's host. */
  readonly repository: string;
  /** Registries clean up manifests that have no tag. */
  readonly tag: string;
  readonly image: OciImage;
}

/** A layer, whose contents are a file's path, or a config in memory. */
interface Blob {
  readonly digest: string;
  readonly contents: string | Uint8Array<ArrayBuffer>;
}

type Sent = (bytes: number) => void;

/** Attempts at an upload whose connection breaks or whose bytes the registry loses. */
const UPLOAD_TRIES = 3;
/** An upload may stand still for so long. A body in one piece shows no progress: it may take more at less than 100 kB/s. */
const UPLOAD_TIMEOUT_MS = 60_000;
const SLOWEST_BYTES_PER_MS = 100;
/** The answers to PATCH of registries that do not take a body of unknown length, or not this method. */
const NO_STREAM = [404, 405, 411, 415, 501];

/**
 * Pushes images that a registry lacks. Blobs that a repository has are not sent; those that another image of the same push brings are
 * mounted from its repository.
 *
 * @param sent called with the number of bytes of each piece that was sent
 * @returns the images that were missing
 * @throws RegistryError
 */
export async function pushImages(client: RegistryClient, images: readonly PushedImage[], sent: Sent): Promise<PushedImage[]> {
  const there = await Promise.all(images.map((image) => isThere(client, image)));
  const missing = images.filter((_, at) => !there[at]);
  /** The repository that has a blob, as soon as it has it. */
  const homes = new Map<string, Promise<string>>();
  await Promise.all(missing.map(async (image) => {
    await Promise.all(
      blobsOf(image.image).map((blob) => {
        const home = homes.get(blob.digest);
        const here = pushBlob(client, image.repository, blob, home, sent);
        if (!home) homes.set(blob.digest, here);
        return here;
      }),
    );
    await putManifest(client, image);
  }));
  return missing;
}

/** What every request for a repository has. */
type Call = Pick<RegistryRequest, "scopes" | "doing">;

function callFor(repository: string): Call {
  return { scopes: [`repository:${repository}:pull,push`], doing: `push ${repository}` };
}

/**
 * Whether an answer to HEAD means that something has to be sent. Some registries do not know HEAD (405), let a robot account push but not
 * read (403), or redirect to a storage that refuses HEAD: sending decides.
 */
function meansSend(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 408, 429].includes(status) || status === 501;
}

/** Whether the repository has the image's manifest: then it has all of it. */
async function isThere(client: RegistryClient, { repository, image, tag }: PushedImage): Promise<boolean> {
  const { status, headers } = await client.request({
    ...callFor(repository),
    method: "HEAD",
    // By the tag, which must be there afterwards too.
    target: `/v2/${repository}/manifests/${tag}`,
    headers: { Accept: MEDIA_TYPE.manifest },
    accept: meansSend,
  });
  return status === 200 && headers.get("docker-content-digest") === image.manifest.digest;
}

function blobsOf({ config, layers }: OciImage): Blob[] {
  const unique = new Map(layers.map((layer) => [layer.digest, layer]));
  return [
    { digest: config.digest, contents: config.contents },
    ...unique.values().map(({ digest, path }) => ({ digest, contents: path })),
  ];
}

/** @param home another repository that has the blob or is about to @returns the repository */
async function pushBlob(
  client: RegistryClient,
  repository: string,
  blob: Blob,
  home: Promise<string> | undefined,
  sent: Sent,
): Promise<string> {
  const from = await home;
  if (from === repository) return repository;
  const call = callFor(repository);
  const there = await client.request({ ...call, method: "HEAD", target: `/v2/${repository}/blobs/${blob.digest}`, accept: meansSend });
  if (there.status === 200) return repository;
  let place = from === undefined ? undefined : await mount(client, repository, blob, from);
  if (place === "mounted") return repository;
  let whole = false;
  for (let attempt = 1;; attempt++) {
    place ??= await beginUpload(client, repository);
    try {
      if (whole || typeof blob.contents !== "string") await uploadWhole(client, blob, place, call, sent);
      else await uploadStream(client, blob.contents, blob.digest, place, call, sent);
      return repository;
    } catch (error) {
      // What became of the bytes is unknown, so a new upload is begun.
      if (attempt === UPLOAD_TRIES || !isPassing(error)) throw error;
      whole ||= error.failure.is === "answered" && NO_STREAM.includes(error.failure.status);
      place = undefined;
    }
  }
}

/**
 * Asks for a blob to be mounted from another repository. Registries may refuse for any reason; it only saves time.
 * @returns where to upload it instead, if the registry says so; otherwise undefined
 */
async function mount(client: RegistryClient, repository: string, { digest }: Blob, from: string): Promise<"mounted" | URL | undefined> {
  const { scopes, doing } = callFor(repository);
  try {
    const { status, headers, url } = await client.request({
      method: "POST",
      target: `/v2/${repository}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`,
      scopes: [...scopes, `repository:${from}:pull`],
      doing,
      accept: () => true,
    });
    if (status === 201) return "mounted";
    return status === 202 ? placeAfter(headers, url) : undefined;
  } catch (error) {
    // Such as a token server that gives no token for both repositories.
    if (error instanceof RegistryError && error.failure.is !== "unreachable") return undefined;
    throw error;
  }
}

async function beginUpload(client: RegistryClient, repository: string): Promise<URL> {
  const call = callFor(repository);
  const { headers, url } = await client.request({ ...call, method: "POST", target: `/v2/${repository}/blobs/uploads/` });
  const place = placeAfter(headers, url);
  if (place === undefined) {
    throw new RegistryError(client.registry, call.doing, { is: "strange", said: "it did not say where to upload to (no Location)" });
  }
  return place;
}

/** Where the upload continues according to an answer. A relative address is relative to where the answer came from. */
function placeAfter(headers: Headers, url: URL): URL | undefined {
  const location = headers.get("location");
  return location === null ? undefined : URL.parse(location, url) ?? undefined;
}

function isPassing(error: unknown): error is RegistryError {
  if (!(error instanceof RegistryError)) return false;
  const { failure } = error;
  if (failure.is === "unreachable") return true;
  return failure.is === "answered" && (failure.status >= 500 || [400, 409, 416, ...NO_STREAM].includes(failure.status));
}

const OCTETS = { "Content-Type": "application/octet-stream" };

/** As Docker does it, which every registry must know: all bytes in one PATCH of unknown length, then a PUT that says their digest. */
async function uploadStream(client: RegistryClient, path: string, digest: string, place: URL, call: Call, sent: Sent): Promise<void> {
  const once = { ...call, headers: OCTETS, once: true, timeoutMs: UPLOAD_TIMEOUT_MS };
  const body = (took: Sent) => ReadableStream.from(readPieces(path, [took, sent]));
  const stored = await client.request({ ...once, method: "PATCH", target: place, body });
  const target = withDigest(placeAfter(stored.headers, stored.url) ?? place, digest);
  // The registry reads all bytes again before it answers.
  await client.request({ ...once, method: "PUT", target, body: () => new Uint8Array(0) });
}

/** As the distribution-spec's monolithic upload: one PUT whose length is known. Deno sends that only for bytes in memory. */
async function uploadWhole(client: RegistryClient, blob: Blob, place: URL, call: Call, sent: Sent): Promise<void> {
  const bytes = typeof blob.contents === "string" ? await Deno.readFile(blob.contents) : blob.contents;
  await client.request({
    ...call,
    method: "PUT",
    target: withDigest(place, blob.digest),
    headers: OCTETS,
    body: () => bytes,
    once: true,
    timeoutMs: UPLOAD_TIMEOUT_MS + bytes.length / SLOWEST_BYTES_PER_MS,
  });
  sent(bytes.length);
}

/** The registry's own query stays as it is. */
function withDigest(place: URL, digest: string): URL {
  const target = new URL(place);
  target.search += `${target.search === "" ? "" : "&"}digest=${encodeURIComponent(digest)}`;
  return target;
}

async function* readPieces(path: string, told: readonly Sent[]): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  for await (const piece of (await Deno.open(path)).readable) {
    for (const tell of told) tell(piece.length);
    yield piece;
  }
}

async function putManifest(client: RegistryClient, { repository, tag, image: { manifest } }: PushedImage): Promise<void> {
  const call = callFor(repository);
  const { headers } = await client.request({
    ...call,
    method: "PUT",
    target: `/v2/${repository}/manifests/${tag}`,
    headers: { "Content-Type": manifest.mediaType },
    body: () => manifest.contents,
  });
  const digest = headers.get("docker-content-digest");
  if (digest !== null && digest !== manifest.digest) {
    const said = `it stored the image with the digest ${digest}, which is not the digest of what was sent`;
    throw new RegistryError(client.registry, call.doing, { is: "strange", said });
  }
}
