import { createHash } from "node:crypto";
import { IMAGE_DENO_VERSION } from "../../k8s/images/image_deno.ts";
import type { ImageLayer } from "../../k8s/images/image_layer.ts";
import { imageOfConfig, type OciImage } from "../../k8s/images/oci_image.ts";
import type { SourceInputs } from "./source_inputs.ts";
import { VERSION } from "../command/version.ts";

/** The last build of a source: its inputs and its image. */
export interface ImageRecord {
  /** Undefined for a Dockerfile: only its builder knows the inputs. */
  readonly inputs: SourceInputs | undefined;
  /** The digest of the inputs before the build; for a Dockerfile, the image's ID at its builder. */
  readonly digest: string;
  readonly image: OciImage;
}

/** The record on disk. The manifest is computed from the rest. */
interface StoredRecord extends Omit<ImageRecord, "image">, Pick<OciImage, "platform" | "layers"> {
  readonly config: string;
}

/** How long unused layers are kept, in milliseconds: a program's layer has megabytes. */
const KEPT_MS = 30 * 24 * 3600 * 1000;
/** Layers younger than this, in milliseconds, may be in use. */
const IN_USE_MS = 3600 * 1000;

/** The path of a source's record and layers, without their endings. Records of other versions of kurun or Deno have other paths. */
export function recordPath(folder: string, source: string, architecture: string): string {
  const key = JSON.stringify([3, VERSION, Deno.version.deno, IMAGE_DENO_VERSION, source, architecture]);
  return `${folder}/${createHash("sha256").update(key).digest("hex").slice(0, 32)}`;
}

/** @returns the record, unless a layer of it has disappeared */
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

/** Writes a record, which appears when it is complete, and removes layers that have not been used for a long time. */
export async function writeRecord(path: string, { inputs, digest, image }: ImageRecord): Promise<void> {
  const { platform, config, layers } = image;
  const stored: StoredRecord = { inputs, digest, platform, config: new TextDecoder().decode(config.contents), layers };
  const partial = `${path}.${Deno.pid}.partial`;
  await Deno.writeTextFile(partial, JSON.stringify(stored));
  await Deno.rename(partial, `${path}.json`);
  await removeEarlier(path, layers);
}

/** Removes a source's earlier layers, and all layers of sources that have not been used for a long time. */
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
    // Another kurun may be about to send a layer that it has just made from the same source.
    const isEarlier = record === path && made! < Date.now() - IN_USE_MS;
    if (isEarlier || Math.max(made!, asked!) < before) await Deno.remove(file).catch(() => {});
  }
}
