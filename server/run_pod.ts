/**
 * The Pod of `kurun run`: the same server as for a port-forward, with a supervisor in place of the request ports.
 *
 * @module
 */
import { NativeConnection, type Stream } from "../tunnel/mod.ts";
import type { ServerConfig } from "./config.ts";
import { LiveClient } from "./control/live_client.ts";
import { ReachCheck } from "./control/reach_check.ts";
import { acceptClient, stopOnSignals } from "./pod_process.ts";
import { ChildReaper } from "./run/child_reaper.ts";
import { certificateVariables } from "./run/certificates.ts";
import { spawnProcess } from "./run/spawn_process.ts";
import { Supervisor } from "./run/supervisor.ts";

/** The exit code after SIGTERM. With 0 the cluster would count the Pod as completed, and not say why it ended it. */
const STOPPED = 143;
/** Parts of the Pod's grace period of 10 s: for the program to end, and until then for the client to read its last output. */
const GRACE_MS = 7_000;
const LAST_WORDS_MS = 9_000;
/** Variables of the image that are meant for the server alone. */
const OWN_VARIABLES = /^(DENO_|NO_COLOR$|WS_)/;
/** Where the kernel counts the processes that it has killed for lack of memory: control groups version 2, and 1. */
const MEMORY_EVENTS = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];

/** Runs the client's programs until it is stopped, and then calls `exit`. */
export async function serveRuns(
  config: ServerConfig & { readonly run: string },
  log: (line: string) => void,
  exit: (code: number) => void,
): Promise<void> {
  let stop = () => Promise.resolve();
  stopOnSignals(() => stop(), () => exit(STOPPED), log);
  const children = new ChildReaper(Deno.pid === 1);
  const environment = programEnvironment(Deno.env.toObject());
  // A Deno that was copied into another image needs its own dynamic loader.
  const { base } = config;
  const deno = base === undefined ? [Deno.execPath()] : [`${base}/ld.so`, "--library-path", `${base}/lib`, `${base}/deno`];
  const supervisor = new Supervisor({
    folder: config.run,
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
    scriptCommand: (script, flags) => [...deno, "run", "--allow-all", "--no-lock", "--ext=js", "--quiet", ...flags, script],
    env: { ...environment, ...await certificateVariables(config.run, environment) },
    spawn: (options) => spawnProcess(options, children),
    dial: dialLocal,
    outOfMemory: countOutOfMemory,
    log,
  });
  stop = () => supervisor.stop(GRACE_MS, LAST_WORDS_MS);
  const onStream = (stream: Stream) => supervisor.accept(stream);
  await acceptClient(config, ["run"], { live: new LiveClient(), reach: new ReachCheck([]), onStream, log });
  log(`session ${config.session}: control port ${config.controlPort}, programs in ${config.run}`);
}

function programEnvironment(env: Record<string, string>): Record<string, string> {
  // Deno puts its own folder in front of the image's PATH.
  const path = (env.PATH ?? "").split(":").filter((folder) => !folder.endsWith("/node_compat_bin")).join(":");
  return { ...Object.fromEntries(Object.entries(env).filter(([name]) => !OWN_VARIABLES.test(name))), PATH: path };
}

async function dialLocal(port: number): Promise<NativeConnection> {
  const connect = async (hostname: string) => {
    const socket = await Deno.connect({ hostname, port });
    socket.setNoDelay(true);
    return new NativeConnection(socket);
  };
  return await connect("127.0.0.1").catch(() => connect("::1"));
}

function countOutOfMemory(): number {
  for (const path of MEMORY_EVENTS) {
    try {
      const count = /^oom_kill (\d+)$/m.exec(Deno.readTextFileSync(path))?.[1];
      if (count !== undefined) return Number(count);
    } catch {
      // Try the file of the other version.
    }
  }
  return 0;
}
