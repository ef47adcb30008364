import { containerdImages, importImages } from "../../k8s/images/containerd.ts";
import { type NamedImage, writeArchive } from "../../k8s/images/image_archive.ts";
import { ImageError } from "../../k8s/images/image_error.ts";
import { runProgram } from "../../k8s/images/run_program.ts";
import { removedAtEnd, temporaryFolder } from "../../k8s/images/temporary_folder.ts";
import type { NodeFacts } from "../../k8s/nodes/nodes.ts";
import { megabytes } from "../command/terminal_text.ts";
import type { LocalWay } from "./choose_delivery.ts";
import type { SourceImage } from "./source_image.ts";

/** The registry in the names of images that have none. Nothing answers there: a node that has lost an image fails with this name. */
const LOCAL_REPOSITORY = "kurun.local";

/** What {@link loadImages} needs. */
export interface LoadOptions {
  /** Empty if the nodes are unknown. */
  readonly nodes: readonly Pick<NodeFacts, "images">[];
  /** Called with a line, without its end, before each slow step. */
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
  /** Variables for the program, in addition to kurun's own; for tests. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Brings images to the nodes themselves, except those that are there already: into a containerd on this machine, or with `kind load
 * image-archive` or `k3d image import`, which are tested only with stand-ins.
 *
 * For containerd, names have the image's digest: by such a name the kubelet finds it without pulling. For the two programs, names have a tag
 * made from 80 bits of the digest, because an archive as Docker writes it is the safest choice for a program that could not be tested.
 *
 * @returns names for manifests, one for each image, in their order
 * @throws ImageError
 */
export async function loadImages(
  way: LocalWay,
  images: readonly Pick<SourceImage, "name" | "image">[],
  options: LoadOptions,
): Promise<string[]> {
  const { nodes, progress, signal, env } = options;
  const named = images.map(({ name, image }) => {
    const { digest } = image.manifest;
    return { name, image, reference: `${LOCAL_REPOSITORY}/${name}${way.is === "containerd" ? `@${digest}` : `:${digest.slice(7, 27)}`}` };
  });
  const references = named.map(({ reference }) => reference);
  const there = way.is === "containerd"
    ? await containerdImages(references, { socket: way.socket, signal })
    : new Set(references.filter((reference) => nodes.length > 0 && nodes.every(({ images }) => images.has(reference))));
  // The same image may come from two sources.
  const missing = [...new Map(named.filter(({ reference }) => !there.has(reference)).map((one) => [one.reference, one])).values()];
  if (missing.length === 0) return references;
  const where = way.is === "containerd" ? way.is : `${way.is}'s cluster ${way.cluster}`;
  const sending = (bytes: number) => progress(`Loading ${missing.map(({ name }) => name).join(", ")} into ${where} (${megabytes(bytes)})`);
  if (way.is === "containerd") {
    await importImages(missing, { socket: way.socket, signal }, sending);
    return references;
  }
  const layers = new Map(missing.flatMap(({ image }) => image.layers).map(({ digest, bytes }) => [digest, bytes]));
  sending(layers.values().reduce((sum, bytes) => sum + bytes, 0));
  const failure = await loadArchive(way.is, way.cluster, missing, signal, env);
  if (failure !== undefined) throw new ImageError(`cannot load images into ${where}: ${failure}`);
  return references;
}

/** @returns why it failed, if it did */
async function loadArchive(
  program: "kind" | "k3d",
  cluster: string,
  images: readonly NamedImage[],
  signal: AbortSignal,
  env: LoadOptions["env"],
): Promise<string | undefined> {
  const folder = await temporaryFolder("kurun-images-");
  await using _ = removedAtEnd(folder);
  const archive = `${folder}/images.tar`;
  await writeArchive(archive, images, signal);
  const [call, flag] = program === "kind" ? [["load", "image-archive"], "--name"] as const : [["image", "import"], "--cluster"] as const;
  const name = `${program} ${call.join(" ")}`;
  return (await runProgram(program, [...call, archive, flag, cluster], { name, env, signal })).failure;
}
