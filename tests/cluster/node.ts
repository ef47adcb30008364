import { runCommand } from "./commands.ts";
import { ClusterError } from "./errors.ts";
import type { Progress } from "./progress.ts";

/** What `onenode start` is given: programs/onenode/settings.go has the same. */
export interface NodeSettings {
  readonly dir: string;
  readonly key: string;
  readonly programs: Readonly<Record<string, string>>;
  readonly cni: string;
  readonly images: readonly string[];
  readonly pauseImage: string;
}

/** How a node is, as its directory and /proc tell. */
export interface NodeState {
  /** There is a node, or what is left of one. */
  readonly exists: boolean;
  /** Its process on the host runs. */
  readonly runs: boolean;
  /** Since when it is of use. */
  readonly ready: string | undefined;
  /** Why it could not be made. */
  readonly failed: string | undefined;
  /** What it was doing last. */
  readonly step: string | undefined;
  readonly settings: (NodeSettings & { readonly port: number }) | undefined;
}

/** Longer than the node itself waits for anything: it then says why. */
const READY_LIMIT_MS = 300_000;
const POLL_MS = 25;
/** A healthy API server answers in milliseconds, one under a heavy test in a second or two. */
const ANSWER_LIMIT_MS = 10_000;

/** Looks at the node of a directory. */
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
 * @throws {ClusterError} when it never will be
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
        throw new ClusterError(`The cluster did not start: ${why}.\n${log}\nAll logs lie in ${directory}/log; the next up starts anew.`);
      }
      if (state.step) detail(state.step);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  });
}

/** Asks the API server, from the host, whether it is well. @returns undefined if so, or what came instead */
export async function whyNotAnswering(directory: string, port: number): Promise<string | undefined> {
  const ca = await readIfThere(`${directory}/pki/ca.crt`);
  if (ca === undefined) return `${directory}/pki/ca.crt is missing`;
  using client = Deno.createHttpClient({ caCerts: [ca] });
  try {
    const response = await fetch(`https://127.0.0.1:${port}/readyz`, { client, signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
    const text = await response.text();
    return response.ok ? undefined : `/readyz answers ${response.status}: ${text.trim()}`;
  } catch (error) {
    // fetch says "fetch failed"; why, its cause does.
    return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
  }
}

/** Whether the process that a file names, by its number and when it started, is the one that has that number now. */
async function isRunning(recorded: string | undefined): Promise<boolean> {
  const [pid, started] = recorded?.trim().split(" ") ?? [];
  if (!pid) return false;
  const stat = await readIfThere(`/proc/${pid}/stat`);
  // The name, second of the fields, may hold spaces and brackets.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields?.[0] !== "Z" && fields?.[19] === started;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    // ESRCH comes from /proc when a process goes while it is read.
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
