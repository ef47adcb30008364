import { createHash } from "node:crypto";
import { IMAGE_DENO_VERSION } from "../../k8s/images/image_deno.ts";
import type { ImageLayer } from "../../k8s/images/image_layer.ts";
import { imageOfConfig, type ImagePlatform, type OciImage } from "../../k8s/images/oci_image.ts";
import type { SourceInputs } from "./source_inputs.ts";
import { VERSION } from "../command/version.ts";

/** What a source was built into the last time, and of what. */
export interface ImageRecord {
  /** Undefined where only what builds it knows: a Dockerfile's. */
  readonly inputs: SourceInputs | undefined;
  /** Of the inputs, as they were before it was built; else its ID at what built it. */
  readonly digest: string;
  readonly image: OciImage;
}

/** The record as it lies on disk; the manifest follows from the rest. */
interface StoredRecord {
  readonly inputs?: SourceInputs | undefined;
  readonly digest: string;
  readonly platform: ImagePlatform;
  readonly config: string;
  readonly layers: readonly ImageLayer[];
}

/** What nobody has asked for this long is removed, in milliseconds: a program's layer has megabytes. */
const KEPT_MS = 30 * 24 * 3600 * 1000;

/** What is younger may be in use, in milliseconds. */
const IN_USE_MS = 3600 * 1000;

/** Where the record of a source lies, and its program's layers: without their endings. A record of another kurun or Deno is not found. */
export function recordPath(folder: string, source: string, architecture: string): string {
  const key = JSON.stringify([2, VERSION, Deno.version.deno, IMAGE_DENO_VERSION, source, architecture]);
  return `${folder}/${createHash("sha256").update(key).digest("hex").slice(0, 32)}`;
}

/** @returns what was recorded, unless layers of it have gone meanwhile */
export async function readRecord(path: string): Promise<ImageRecord | undefined> {
  let stored: StoredRecord;
  try {
    stored = JSON.parse(await Deno.readTextFile(`${path}.json`));
    for (const layer of stored.layers) if ((await Deno.stat(layer.path)).size !== layer.bytes) return undefined;
    await Deno.utime(`${path}.json`, new Date(), new Date());
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const { inputs, digest, platform, config, layers } = stored;
  return { inputs, digest, image: imageOfConfig(platform, new TextEncoder().encode(config), layers) };
}

/** Records what was built. It appears when it is whole; what was not used for long is removed. */
export async function writeRecord(path: string, { inputs, digest, image }: ImageRecord): Promise<void> {
  const { platform, config, layers } = image;
  const stored: StoredRecord = { inputs, digest, platform, config: new TextDecoder().decode(config.contents), layers };
  const partial = `${path}.${Deno.pid}.partial`;
  await Deno.writeTextFile(partial, JSON.stringify(stored));
  await Deno.rename(partial, `${path}.json`);
  await removeEarlier(path, layers);
}

/** Removes a source's earlier layers, and all of sources that were not asked for in a long time. */
export async function removeEarlier(path: string, layers: readonly ImageLayer[]): Promise<void> {
  const folder = path.slice(0, path.lastIndexOf("/"));
  const before = Date.now() - KEPT_MS;
  const used = new Set(layers.map((layer) => layer.path));
  for await (const { name, isFile } of Deno.readDir(folder)) {
    const file = `${folder}/${name}`;
    if (!isFile || used.has(file) || file === `${path}.json`) continue;
    const record = `${folder}/${name.split(".")[0]}`;
    const [made, asked] = await Promise.all(
      [file, `${record}.json`].map((one) => Deno.stat(one).then(({ mtime }) => mtime?.getTime() ?? 0, () => 0)),
    );
    // Another kurun may be about to send what it has just made of the same source.
    const isEarlier = record === path && made! < Date.now() - IN_USE_MS;
    if (isEarlier || Math.max(made!, asked!) < before) await Deno.remove(file).catch(() => {});
  }
}
