import { type NamedImage, writeArchive } from "../k8s/image_archive.ts";
import { type DeliverableImage, type Delivery, layerBytes, LOCAL_REPOSITORY, megabytes } from "./delivery.ts";
import { ExitCode, UserError } from "./errors.ts";

/**
 * Brings images into the nodes of a kind cluster by `kind load image-archive`. Tried with a stand-in for kind alone.
 *
 * The names carry a tag made of the image's digest, not the digest itself: kind reads names from Docker's part of the archive, and Docker
 * knows tags only.
 *
 * @param env added to kurun's environment for it; for tests
 */
export function kindDelivery(cluster: string, env: Readonly<Record<string, string>> = {}): Delivery {
  return byCommand(`kind's cluster ${cluster}`, "kind", (archive) => ["load", "image-archive", archive, "--name", cluster], env);
}

/**
 * Brings images into the nodes of a k3d cluster by `k3d image import`. Tried with a stand-in for k3d alone.
 * @param env added to kurun's environment for it; for tests
 */
export function k3dDelivery(cluster: string, env: Readonly<Record<string, string>> = {}): Delivery {
  return byCommand(`k3d's cluster ${cluster}`, "k3d", (archive) => ["image", "import", archive, "--cluster", cluster], env);
}

function byCommand(to: string, program: string, args: (archive: string) => string[], env: Readonly<Record<string, string>>): Delivery {
  return {
    to,
    async deliver(images, { progress, signal }) {
      const named = new Map(images.map((one) => [taggedName(one), one]));
      progress(`Bringing ${images.map(({ name }) => name).join(", ")} to ${to} (${megabytes(layerBytes(images))})`);
      const folder = await Deno.makeTempDir({ prefix: "kurun-images-" });
      try {
        const archive = `${folder}/images.tar`;
        const contents = [...named].map(([reference, { image }]): NamedImage => ({ reference, image }));
        await writeArchive(archive, contents, signal);
        await run(program, args(archive), { to, env, signal });
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
      return { references: images.map(taggedName), sent: named.size };
    },
  };
}

/** 80 bits of the digest: nobody meets the same by chance, and it can be read aloud. */
function taggedName({ name, image }: DeliverableImage): string {
  return `${LOCAL_REPOSITORY}/${name}:${image.manifest.digest.slice("sha256:".length).slice(0, 20)}`;
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
    throw new UserError(`images get to ${to} by its own command, and there is no ${program} in PATH`, ExitCode.failed, { cause });
  }
  signal.throwIfAborted();
  if (output.success) return;
  const text = new TextDecoder();
  const said = text.decode(output.stderr).trim() || text.decode(output.stdout).trim();
  throw new UserError(
    `images were not brought to ${to}: ${program} ${args.slice(0, 2).join(" ")} ended with ${output.code} and said: ${said}`,
    ExitCode.failed,
  );
}
