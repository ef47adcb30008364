import { temporaryFolder } from "../../k8s/images/temporary_folder.ts";
import { type NamedImage, writeArchive } from "../../k8s/images/image_archive.ts";
import { type DeliverableImage, type Delivery, layerBytes, LOCAL_REPOSITORY, megabytes } from "./delivery.ts";
import { ExitCode, UserError } from "../command/errors.ts";

/** Whether all nodes have an image with a name. */
export type IsThere = (reference: string) => boolean;

/** How a tool is run. */
interface Call {
  readonly to: string;
  readonly program: string;
  readonly args: (archive: string) => string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Brings images into the nodes of a kind cluster with `kind load image-archive`. Tested only with a stand-in for kind.
 *
 * Here and for k3d, names have a tag made from the image's digest and not the digest itself: an archive as Docker writes it is the safest
 * choice for a program that could not be tested.
 *
 * @param env variables for kind, in addition to kurun's own; for tests
 */
export function kindDelivery(cluster: string, isThere: IsThere, env: Readonly<Record<string, string>> = {}): Delivery {
  const args = (archive: string) => ["load", "image-archive", archive, "--name", cluster];
  return byCommand({ to: `kind's cluster ${cluster}`, program: "kind", args, env }, isThere);
}

/**
 * Brings images into the nodes of a k3d cluster with `k3d image import`. Tested only with a stand-in for k3d.
 * @param env variables for k3d, in addition to kurun's own; for tests
 */
export function k3dDelivery(cluster: string, isThere: IsThere, env: Readonly<Record<string, string>> = {}): Delivery {
  const args = (archive: string) => ["image", "import", archive, "--cluster", cluster];
  return byCommand({ to: `k3d's cluster ${cluster}`, program: "k3d", args, env }, isThere);
}

function byCommand(call: Call, isThere: IsThere): Delivery {
  const { to } = call;
  return {
    to,
    async deliver(images, { progress, signal }) {
      const references = images.map(taggedName);
      const missing = new Map(images.map((one) => [taggedName(one), one] as const).filter(([reference]) => !isThere(reference)));
      if (missing.size === 0) return { references, sent: 0 };
      const sent = [...missing.values()];
      progress(`Bringing ${sent.map(({ name }) => name).join(", ")} to ${to} (${megabytes(layerBytes(sent))})`);
      const folder = await temporaryFolder("kurun-images-");
      try {
        const archive = `${folder}/images.tar`;
        await writeArchive(archive, [...missing].map(([reference, { image }]): NamedImage => ({ reference, image })), signal);
        await run(call, call.args(archive), signal);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
      return { references, sent: missing.size };
    },
  };
}

/** 80 bits of the digest: too many to collide by chance, and short enough to read. */
function taggedName({ name, image }: DeliverableImage): string {
  return `${LOCAL_REPOSITORY}/${name}:${image.manifest.digest.slice("sha256:".length).slice(0, 20)}`;
}

async function run({ to, program, env }: Call, args: string[], signal: AbortSignal): Promise<void> {
  let output;
  try {
    output = await new Deno.Command(program, { args, env: { ...env }, stdin: "null", stdout: "piped", stderr: "piped", signal }).output();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new UserError(`cannot bring images to ${to}: ${program} was not found in PATH`, ExitCode.failed, { cause });
  }
  signal.throwIfAborted();
  if (output.success) return;
  const text = new TextDecoder();
  const said = text.decode(output.stderr).trim() || text.decode(output.stdout).trim();
  throw new UserError(
    `cannot bring images to ${to}: ${program} ${args.slice(0, 2).join(" ")} failed with exit code ${output.code}: ${said}`,
    ExitCode.failed,
  );
}
