/** Faults of the control plane: one of its programs is killed and started again. */
import { runCommand } from "../cluster/commands.ts";
import type { Component } from "../cluster/cluster.ts";
import { apiServer } from "./api_server.ts";
import type { Fault } from "./fault.ts";
import { pause } from "./stage.ts";

const READY_LIMIT_MS = 60_000;
/** The garbage collector backs off while the API server is away, and starts over with its controller manager. */
const CONTROLLERS_BACK_MS = 60_000;
/** Long enough to notice if state of the killed program is missing. */
const WATCHED_MS = 6_000;

/** @see Fault */
export const controlPlaneFaults: readonly Fault[] = [
  {
    name: "the API server is killed and started again",
    says: "503 while it is away; answered again within 3 s of its first 200 from /readyz",
    maySee: ["503 lost", "503 nobody"],
    holdMs: 3_000,
    alone: true,
    cleanUpMs: CONTROLLERS_BACK_MS,
    run: async (stage) => {
      await stage.start();
      const faultAt = performance.now();
      await restart("kube-apiserver");
      const since = await readyAt();
      await stage.flow.untilAnswered(15_000);
      return { faultAt, again: { since, withinMs: 3_000 }, figures: { "until /readyz": since - faultAt } };
    },
  },
  ...(["kube-controller-manager", "etcd"] as const).map((component): Fault => ({
    name: `${component} is killed and started again`,
    says: "nothing",
    maySee: [],
    holdMs: 3_000,
    alone: true,
    cleanUpMs: CONTROLLERS_BACK_MS,
    run: async (stage) => {
      await stage.start();
      const faultAt = performance.now();
      await restart(component);
      await pause(WATCHED_MS);
      await readyAt();
      return { faultAt };
    },
  })),
];

/** Restarts a program of the node that this runs in. */
async function restart(component: Component): Promise<void> {
  const { code, said } = await runCommand(["onenode", "restart", component]);
  if (code !== 0) throw new Error(`onenode restart ${component}: ${said}`);
}

/** Waits until the API server says that it is ready. @returns when it did, at most 50 ms late @throws after a minute */
export async function readyAt(): Promise<number> {
  const { url, ca } = await apiServer();
  using client = Deno.createHttpClient({ caCerts: [ca], poolMaxIdlePerHost: 0 });
  const until = performance.now() + READY_LIMIT_MS;
  for (;;) {
    const answer = await fetch(new URL("/readyz", url), { client, signal: AbortSignal.timeout(1_000) })
      .then(async (response) => (await response.text(), response.ok), () => false);
    if (answer) return performance.now();
    if (performance.now() > until) throw new Error(`the API server was not ready within ${READY_LIMIT_MS / 1000} s`);
    await pause(50);
  }
}
