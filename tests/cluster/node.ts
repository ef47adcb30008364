import { runCommand } from "./commands.ts";
import { ClusterError } from "./errors.ts";
import type { Progress } from "./progress.ts";
import type { Topology } from "./variant.ts";

/** The argument of `onenode start`; programs/onenode/settings.go has the same. */
export interface NodeSettings {
  readonly dir: string;
  readonly key: string;
  readonly programs: Readonly<Record<string, string>>;
  readonly cni: string;
  readonly images: readonly string[];
  readonly pauseImage: string;
  readonly topology: Topology;
}

/** The state of a node, from its directory and /proc. */
export interface NodeState {
  /** There is a node, or the remains of one. */
  readonly exists: boolean;
  /** Its process on the host runs. */
  readonly runs: boolean;
  /** When it became ready. */
  readonly ready: string | undefined;
  /** Why it could not be created. */
  readonly failed: string | undefined;
  /** What it was doing last. */
  readonly step: string | undefined;
  readonly settings: (NodeSettings & { readonly port: number }) | undefined;
}

/** Longer than the node itself waits for anything, so that the node can say what failed. */
const READY_LIMIT_MS = 300_000;
const POLL_MS = 25;
/** A healthy API server answers in milliseconds, one under a heavy test in a second or two. */
const ANSWER_LIMIT_MS = 10_000;

/** Reads the state of the node in a directory. */
export async function nodeState(directory: string): Promise<NodeState> {
  const read = (name: string) => readIfThere(`${directory}/${name}`);
  const [keeper, ready, failed, step, settings] = await Promise.all(
    ["run/keep.pid", "ready", "failed", "step", "node.json"].map(read),
  );
  return {
    exists: await exists(directory),
    runs: await isRunning(keeper),
    ready: ready?.trim(),
    failed: failed?.trim(),
    step: step?.trim(),
    settings: settings === undefined ? undefined : JSON.parse(settings),
  };
}

/** Starts the node unless it runs; returns before it is ready. */
export async function startNode(onenode: string, settings: NodeSettings): Promise<void> {
  const { code, said } = await runCommand([onenode, "start", JSON.stringify(settings)]);
  if (code !== 0) throw new ClusterError(`The node could not be started: ${said}`);
}

/** Ends the node and removes what it made. */
export async function stopNode(onenode: string, directory: string): Promise<void> {
  const { code, said } = await runCommand([onenode, "stop", directory]);
  if (code !== 0) throw new ClusterError(`The node could not be ended: ${said}`);
}

/**
 * Waits until Pods can run.
 * @throws {ClusterError} if they never will
 */
export async function waitUntilReady(directory: string, progress: Progress): Promise<void> {
  await progress.during("starting the cluster", async (detail) => {
    const deadline = performance.now() + READY_LIMIT_MS;
    for (;;) {
      const state = await nodeState(directory);
      if (state.ready && state.runs) return;
      const late = performance.now() > deadline;
      if (state.failed || !state.runs || late) {
        const why = state.failed ?? (late ? `not ready after ${READY_LIMIT_MS / 1000} s` : "it ended");
        const log = (await readIfThere(`${directory}/log/keep.log`))?.trim().split("\n").slice(-10).join("\n");
        throw new ClusterError(`The cluster did not start: ${why}.\n${log}\nAll logs lie in ${directory}/log; the next up starts over.`);
      }
      if (state.step) detail(state.step);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  });
}

/** Asks the API server for its health from the host. @returns undefined if it is healthy, or what came instead */
export async function whyNotAnswering(directory: string, port: number): Promise<string | undefined> {
  const ca = await readIfThere(`${directory}/pki/ca.crt`);
  if (ca === undefined) return `${directory}/pki/ca.crt is missing`;
  using client = Deno.createHttpClient({ caCerts: [ca] });
  try {
    const response = await fetch(`https://127.0.0.1:${port}/readyz`, { client, signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
    const text = await response.text();
    return response.ok ? undefined : `/readyz answers ${response.status}: ${text.trim()}`;
  } catch (error) {
    // fetch says "fetch failed"; its cause says why.
    return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
  }
}

/** Whether the process that a file names by PID and start time still runs: the PID may have been reused. */
async function isRunning(recorded: string | undefined): Promise<boolean> {
  const [pid, started] = recorded?.trim().split(" ") ?? [];
  if (!pid) return false;
  const stat = await readIfThere(`/proc/${pid}/stat`);
  // The second field, the name, may contain spaces and brackets.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields?.[0] !== "Z" && fields?.[19] === started;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    // /proc gives ESRCH when a process ends while its file is read.
    if (error instanceof Deno.errors.NotFound || path.startsWith("/proc/")) return undefined;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
