/** Brings images into a containerd on this machine with containerd's own `ctr`. @module */
import { archiveEntries, type NamedImage } from "./image_archive.ts";
import { ImageError } from "./image_error.ts";
import { runProgram } from "./run_program.ts";
import { tar } from "./tar.ts";

/** A containerd by its socket's path. `env` has variables for ctr, in addition to kurun's own; for tests. */
export interface Containerd {
  readonly socket: string;
  readonly signal: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
}

/** containerd's namespace of the kubelet's images. */
const NAMESPACE = "k8s.io";

/** The socket of k3s and RKE2. */
export const K3S_SOCKET = "/run/k3s/containerd/containerd.sock";
/** The places of containerd's socket: its own, then k3s and RKE2, then MicroK8s. */
export const CONTAINERD_SOCKETS = ["/run/containerd/containerd.sock", K3S_SOCKET, "/var/snap/microk8s/common/run/containerd.sock"] as const;

/** The names among these that the kubelet would find. @throws ImageError */
export async function containerdImages(names: readonly string[], containerd: Containerd): Promise<Set<string>> {
  const filters = names.map((name) => `name==${name}`);
  return new Set((await ctr(["images", "ls", "-q", ...filters], containerd)).split("\n").filter(Boolean));
}

/**
 * Imports images under names with a digest: by such a name the kubelet finds them without a registry. Layers that containerd has are left
 * out, since Deno's 43 MB would take half a second each time.
 *
 * @param sending called with the number of bytes before they are sent
 * @throws ImageError
 */
export async function importImages(images: readonly NamedImage[], containerd: Containerd, sending: (bytes: number) => void): Promise<void> {
  const there = new Set((await ctr(["content", "ls", "-q"], containerd)).split("\n"));
  const layers = new Map(images.flatMap(({ image }) => image.layers).map((layer) => [layer.digest, layer]));
  const known = new Set([...layers.keys()].filter((digest) => there.has(digest)));
  sending([...layers.values()].reduce((sum, { digest, bytes }) => sum + (known.has(digest) ? 0 : bytes), 0));
  const send = (without: ReadonlySet<string>) => ctr(["images", "import", "-"], containerd, tar(archiveEntries(images, without)));
  try {
    await send(known);
  } catch (error) {
    // A layer may have been removed since it was listed.
    if (known.size === 0 || !(error instanceof ImageError)) throw error;
    await send(new Set());
  }
}

async function ctr(args: readonly string[], { socket, signal, env }: Containerd, input?: AsyncIterable<Uint8Array>): Promise<string> {
  const name = `ctr ${args.slice(0, 2).join(" ")}`;
  const options = { name, env, signal, ...input && { input } };
  const { stdout, failure } = await runProgram("ctr", ["--address", socket, "--namespace", NAMESPACE, ...args], options);
  if (failure === undefined) return stdout;
  const hint = /permission denied/i.test(failure)
    ? "\nThe socket belongs to root: run kurun as root, or push to a registry with --repo."
    : "";
  throw new ImageError(`cannot load images into containerd (${socket}): ${failure}${hint}`);
}
