import { containerdImages, importImages } from "../../k8s/images/containerd.ts";
import { writeArchive } from "../../k8s/images/image_archive.ts";
import { temporaryFolder } from "../../k8s/images/temporary_folder.ts";
import { ExitCode, UserError } from "../command/errors.ts";
import { type DeliverableImage, type Delivery, megabytes } from "./delivery.ts";

/** The registry in the names of images that have none. Nothing answers there: a node that has lost an image fails with this name. */
const LOCAL_REPOSITORY = "kurun.local";

interface NamedDeliverable extends DeliverableImage {
  readonly reference: string;
}

/** Loads images into a containerd on this machine under names with their digests, which the kubelet finds without pulling. */
export function containerdDelivery(socket: string): Delivery {
  return async (images, progress, signal) => {
    const named = images.map((one) => ({ ...one, reference: `${LOCAL_REPOSITORY}/${one.name}@${one.image.manifest.digest}` }));
    const references = named.map(({ reference }) => reference);
    const there = await containerdImages(references, { socket, signal });
    const missing = missingOf(named, (reference) => there.has(reference));
    const sending = (bytes: number) => progress(`Loading ${namesOf(missing)} into containerd (${megabytes(bytes)})`);
    if (missing.length > 0) await importImages(missing, { socket, signal }, sending);
    return references;
  };
}

/**
 * Loads images into the nodes of a cluster with `kind load image-archive` or `k3d image import`. Tested only with stand-ins for the two.
 *
 * Names have a tag made from the image's digest (80 bits: enough not to collide, short enough to read) and not the digest itself: an archive
 * as Docker writes it is the safest choice for a program that could not be tested.
 *
 * @param isThere whether all nodes have an image with a name
 * @param env variables for the program, in addition to kurun's own; for tests
 */
export function clusterDelivery(
  program: "kind" | "k3d",
  cluster: string,
  isThere: (reference: string) => boolean,
  env: Readonly<Record<string, string>> = {},
): Delivery {
  const to = `${program}'s cluster ${cluster}`;
  return async (images, progress, signal) => {
    const named = images.map((one) => ({ ...one, reference: `${LOCAL_REPOSITORY}/${one.name}:${one.image.manifest.digest.slice(7, 27)}` }));
    const missing = missingOf(named, isThere);
    if (missing.length > 0) {
      progress(`Loading ${namesOf(missing)} into ${to} (${megabytes(layerBytes(missing))})`);
      const folder = await temporaryFolder("kurun-images-");
      try {
        const archive = `${folder}/images.tar`;
        await writeArchive(archive, missing, signal);
        const args = program === "kind"
          ? ["load", "image-archive", archive, "--name", cluster]
          : ["image", "import", archive, "--cluster", cluster];
        await run(program, args, { to, env, signal });
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    }
    return named.map(({ reference }) => reference);
  };
}

/** The images to send. The same image may come from two sources. */
function missingOf(images: readonly NamedDeliverable[], isThere: (reference: string) => boolean): NamedDeliverable[] {
  return [...new Map(images.filter(({ reference }) => !isThere(reference)).map((one) => [one.reference, one])).values()];
}

function namesOf(images: readonly DeliverableImage[]): string {
  return images.map(({ name }) => name).join(", ");
}

/** The compressed size of all layers of images, each layer counted once. */
function layerBytes(images: readonly DeliverableImage[]): number {
  const layers = new Map(images.flatMap(({ image }) => image.layers).map(({ digest, bytes }) => [digest, bytes]));
  return layers.values().reduce((sum, bytes) => sum + bytes, 0);
}

async function run(
  program: string,
  args: string[],
  { to, env, signal }: { to: string; env: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<void> {
  let output;
  try {
    output = await new Deno.Command(program, { args, env: { ...env }, stdin: "null", stdout: "piped", stderr: "piped", signal }).output();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new UserError(`cannot load images into ${to}: ${program} was not found in PATH`, ExitCode.failed, { cause });
  }
  signal.throwIfAborted();
  if (output.success) return;
  const text = new TextDecoder();
  const said = text.decode(output.stderr).trim() || text.decode(output.stdout).trim();
  const call = `${program} ${args.slice(0, 2).join(" ")}`;
  throw new UserError(`cannot load images into ${to}: ${call} failed with exit code ${output.code}: ${said}`, ExitCode.failed);
}
