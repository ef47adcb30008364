import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { Cluster } from "./cluster.ts";
import { isFile } from "./commands.ts";
import { ClusterError, ClusterUnavailableError } from "./errors.ts";
import { findGo, type Go } from "./go.ts";
import { locked } from "./lock.ts";
import { type NodeSettings, nodeState, startNode, stopNode, waitUntilReady, whyNotAnswering } from "./node.ts";
import { nodeCluster } from "./node_cluster.ts";
import { findCniDirectory, installPackages, missingPackages, whyNotInstallable } from "./packages.ts";
import { type Paths, paths } from "./paths.ts";
import { buildProgram, fetchModules, lastBuilt, type Program, type ProgramName, programs } from "./programs.ts";
import type { Progress } from "./progress.ts";
import { packToolbox, TOOLBOX_IMAGE, toolboxArchive } from "./toolbox_image.ts";
import { chosenVariant, type ClusterVariant } from "./variant.ts";

/** By linux/capability.h. */
const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;

/** Checks whether this machine can have a cluster of our own. @returns why it cannot, or undefined */
async function whyNoOwnCluster(): Promise<string | undefined> {
  const other = "Or name an existing cluster with KURUN_TEST_KUBECONFIG=FILE.";
  if (Deno.build.os !== "linux") return `A cluster can be created on Linux only; this is ${Deno.build.os}. ${other}`;
  if (Deno.uid() !== 0) {
    return `Creating a cluster needs root for namespaces, mounts and control groups; this is user ${Deno.uid()}. ` +
      `Try: sudo --preserve-env=PATH,HOME COMMAND. ${other}`;
  }
  if (!await mayAdministrate()) {
    return `Creating a cluster needs all of root's capabilities, and this process lacks some, as in an ordinary container. Use a privileged one. ${other}`;
  }
  const notInstallable = await whyNotInstallable(await missingPackages(false));
  if (notInstallable) return `${notInstallable} ${other}`;
  try {
    await findGo();
    return undefined;
  } catch (error) {
    if (error instanceof ClusterUnavailableError) return `${error.message} ${other}`;
    throw error;
  }
}

/** Whether the kernel lets this process create namespaces and networks; root in a container may not. */
async function mayAdministrate(): Promise<boolean> {
  const status = await Deno.readTextFile("/proc/self/status");
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  return [CAP_NET_ADMIN, CAP_SYS_ADMIN].every((capability) => effective >> capability & 1n);
}

/** Brings our own cluster up: keeps one that runs well and replaces one that does not. Builds and installs only what is missing. */
export async function ensureOwnUp(progress: Progress, { forTests }: { forTests: boolean }): Promise<Cluster> {
  const variant = chosenVariant();
  const reason = await whyNoOwnCluster();
  if (reason) throw new ClusterUnavailableError(reason);
  const place = paths();
  await exclusively(place, progress, async () => {
    const go = await findGo();
    const built = await programs(place.programs, go, variant.kubernetes);
    const missing = await missingPackages(forTests);
    if (await findCniDirectory() && await isUp(place, await settingsOf(place, variant, built), progress)) {
      await installPackages(missing, progress);
    } else {
      await prepare(built, programsOfNode(variant, built), { missing, go, progress });
      await startNode(built.onenode.path, await settingsOf(place, variant, built));
      await waitUntilReady(place.node, progress);
    }
    if (forTests) await startDns(place, built.coredns, go, progress);
  });
  return nodeCluster(place.node);
}

/** Builds CoreDNS and starts it on the node, unless this very program runs there. Returns once names are resolved. */
async function startDns(place: Paths, coredns: Program, go: Go, progress: Progress): Promise<void> {
  await buildProgram(coredns, go, progress);
  const changed = await linkInto(`${place.node}/bin`, coredns);
  await nodeCluster(place.node).onenode(["dns", changed ? "restart" : "resume"]);
}

/**
 * Makes a program available in a directory under its plain name, even when the cache it was built in is emptied.
 * @returns whether another build, or none, was there before
 */
async function linkInto(directory: string, { name, path }: Program): Promise<boolean> {
  const keyed = basename(path);
  const link = `${directory}/${name}`;
  if (await Deno.readLink(link).catch(() => undefined) === keyed) return false;
  // A link cannot cross file systems.
  if (!await isFile(`${directory}/${keyed}`)) {
    await Deno.link(path, `${directory}/${keyed}`).catch(() => Deno.copyFile(path, `${directory}/${keyed}`));
  }
  await Deno.remove(link).catch(() => {});
  await Deno.symlink(keyed, link);
  return true;
}

/** Our own cluster if it is up. */
export async function ownCluster(): Promise<Cluster | undefined> {
  const { node } = paths();
  const state = await nodeState(node);
  return state.runs && state.ready ? nodeCluster(node) : undefined;
}

/** Takes our own cluster down. @returns whether there was one */
export async function takeOwnDown(progress: Progress): Promise<boolean> {
  const place = paths();
  return await exclusively(place, progress, async () => {
    const { exists } = await nodeState(place.node);
    const onenode = await anyOnenode(place) ?? (exists ? await builtOnenode(place, progress) : undefined);
    if (!onenode) return false;
    if (Deno.uid() !== 0) throw new ClusterError(`Taking the cluster in ${place.node} down needs root; this is user ${Deno.uid()}.`);
    // Even without its directory: if someone has removed that, the processes still run.
    await progress.during("taking the cluster down", () => stopNode(onenode, place.node));
    return exists;
  });
}

/** The node's own onenode, or the one built last: a killed down or a user may have removed files. */
async function anyOnenode(place: Paths): Promise<string | undefined> {
  const own = `${place.node}/bin/onenode`;
  return await isFile(own) ? own : await lastBuilt(place.programs, "onenode");
}

async function builtOnenode(place: Paths, progress: Progress): Promise<string> {
  const go = await findGo();
  const { onenode } = await programs(place.programs, go, chosenVariant().kubernetes);
  await buildProgram(onenode, go, progress);
  return onenode.path;
}

async function exclusively<T>(place: Paths, progress: Progress, work: () => Promise<T>): Promise<T> {
  return await locked(place.lock, () => progress.say("another process is bringing the cluster up or down; waiting for it"), work);
}

/** Whether the node with these settings runs well. Stops any other node, and says why. */
async function isUp(place: Paths, settings: NodeSettings, progress: Progress): Promise<boolean> {
  const state = await nodeState(place.node);
  if (!state.runs || !state.settings) return false;
  let wrong: string | undefined;
  if (state.settings.key !== settings.key) {
    wrong = state.settings.topology === settings.topology ? "was built from other sources" : "has another topology";
  } else {
    // It may still be starting, if an earlier up was killed.
    if (!state.ready) await waitUntilReady(place.node, progress).catch((error) => wrong = `does not get ready: ${error.message}`);
    const silent = await whyNotAnswering(place.node, (await nodeState(place.node)).settings?.port ?? state.settings.port);
    if (silent) wrong ??= `does not answer: ${silent}`;
  }
  if (!wrong) return true;
  progress.say(`the running cluster ${wrong}; replacing it`);
  await stopNode(await anyOnenode(place) ?? await builtOnenode(place, progress), place.node);
  return false;
}

async function settingsOf(place: Paths, variant: ClusterVariant, built: Record<ProgramName, Program>): Promise<NodeSettings> {
  const cni = await findCniDirectory();
  if (!cni) throw new ClusterError("The CNI plugins are missing although their package is installed. Reinstall the package and try again.");
  const settings = {
    dir: place.node,
    programs: Object.fromEntries(programsOfNode(variant, built).map(({ name, path }) => [name, path])),
    cni,
    images: [toolboxArchive(built.toolbox)],
    pauseImage: TOOLBOX_IMAGE,
    topology: variant.topology,
  };
  return { ...settings, key: createHash("sha256").update(JSON.stringify(settings)).digest("hex").slice(0, 16) };
}

/** The programs that a node starts with. */
function programsOfNode({ topology }: ClusterVariant, built: Record<ProgramName, Program>): Program[] {
  return [built.onenode, built.kubernetes, ...topology === "konnectivity" ? [built.konnectivity] : []];
}

/**
 * Installs the packages that are missing and builds what the node starts with. The compiler has the processor busy for minutes, so apt-get
 * and the download of Kubernetes' modules go on next to the small builds.
 */
async function prepare(
  built: Record<ProgramName, Program>,
  needed: readonly Program[],
  { missing, go, progress }: Preparation,
): Promise<void> {
  const smallOnes = async () => {
    // onenode first, because a problem with Go or the module proxy shows immediately.
    for (const program of needed.filter((program) => program !== built.kubernetes)) await buildProgram(program, go, progress);
    await buildProgram(built.toolbox, go, progress);
    await packToolbox(built.toolbox);
  };
  await Promise.all([smallOnes(), fetchModules(built.kubernetes, go, progress), installPackages(missing, progress)]);
  await buildProgram(built.kubernetes, go, progress);
}

interface Preparation {
  /** Debian packages. */
  readonly missing: readonly string[];
  readonly go: Go;
  readonly progress: Progress;
}
