/**
 * Brings images into a containerd on this machine, by containerd's own `ctr`.
 *
 * @module
 */
import { archiveEntries, type NamedImage } from "./image_archive.ts";
import { tar } from "./tar.ts";

/** containerd could not be spoken to, or took an image not; the message ends with what ctr said. */
export class ContainerdError extends Error {
  override readonly name = "ContainerdError";
}

/** A containerd. */
export interface Containerd {
  /** Its socket's path. */
  readonly socket: string;
  readonly signal: AbortSignal;
  /** Added to kurun's environment for ctr; for tests. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What the kubelet's images are filed under. */
const NAMESPACE = "k8s.io";

/** Where that of k3s and RKE2 lies. */
export const K3S_SOCKET = "/run/k3s/containerd/containerd.sock";

/** Where containerd's socket lies: its own place, then those of k3s and RKE2, and MicroK8s. */
export const CONTAINERD_SOCKETS = [
  "/run/containerd/containerd.sock",
  K3S_SOCKET,
  "/var/snap/microk8s/common/run/containerd.sock",
] as const;

/**
 * Which of the names the kubelet would find.
 * @throws ContainerdError
 */
export async function containerdImages(names: readonly string[], containerd: Containerd): Promise<Set<string>> {
  const filters = names.map((name) => `name==${name}`);
  const said = await ctr(["images", "ls", "-q", ...filters], containerd);
  return new Set(said.split("\n").filter((line) => line !== ""));
}

/**
 * Imports images under names with a digest, which is how the kubelet finds `NAME@sha256:…` without a registry. Layers that containerd has
 * are left out: Deno's 43 MB would take half a second each time.
 *
 * @param sending gets the bytes that are sent
 * @throws ContainerdError
 */
export async function importImages(images: readonly NamedImage[], containerd: Containerd, sending: (bytes: number) => void): Promise<void> {
  const there = new Set((await ctr(["content", "ls", "-q"], containerd)).split("\n"));
  const layers = new Map(images.flatMap(({ image }) => image.layers).map((layer) => [layer.digest, layer]));
  const known = new Set([...layers.keys()].filter((digest) => there.has(digest)));
  sending([...layers.values()].reduce((sum, { digest, bytes }) => sum + (known.has(digest) ? 0 : bytes), 0));
  const send = (without: ReadonlySet<string>) =>
    ctr(["images", "import", "-"], containerd, ReadableStream.from(tar(archiveEntries(images, without))));
  try {
    await send(known);
  } catch (error) {
    // A layer may have been removed since it was listed.
    if (known.size === 0 || !(error instanceof ContainerdError)) throw error;
    await send(new Set());
  }
}

async function ctr(args: readonly string[], { socket, signal, env = {} }: Containerd, input?: ReadableStream<Uint8Array>): Promise<string> {
  signal.throwIfAborted();
  let child;
  try {
    child = new Deno.Command("ctr", {
      args: ["--address", socket, "--namespace", NAMESPACE, ...args],
      env: { ...env },
      stdin: input ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
      signal,
    }).spawn();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new ContainerdError(`there is no ctr in PATH, which brings images into containerd (${socket}); it comes with containerd`, {
      cause,
    });
  }
  // A ctr that ends before it has read all says why on stderr.
  const fed = input?.pipeTo(child.stdin).catch((error) => error);
  const { success, code, stdout, stderr } = await child.output();
  signal.throwIfAborted();
  const broken = await fed;
  if (success && broken === undefined) return new TextDecoder().decode(stdout);
  const said = new TextDecoder().decode(stderr).trim() || String(broken ?? "nothing");
  const hint = /permission denied/i.test(said) ? "; the socket is root's: run kurun as root, or push to a registry by --repo" : "";
  throw new ContainerdError(`ctr ${args.slice(0, 2).join(" ")} (${socket}) ended with ${code} and said: ${said}${hint}`);
}
