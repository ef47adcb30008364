/** Faults of the Pod. */
import { findProcess } from "../e2e/kurun_process.ts";
import { kubectl } from "../e2e/kubernetes.ts";
import type { Sight } from "./flow_records.ts";
import type { Fault, FaultEnd } from "./fault.ts";
import type { Stage } from "./stage.ts";

/** What callers see when the Pod ends, and while no Pod is ready. */
const WHILE_NO_POD: readonly Sight[] = ["reset", "ended", "refused", "unreachable", "503 nobody", "503 lost"];
const LONGEST_MS = 15_000;

/** @see Fault */
export const podFaults: readonly Fault[] = [
  {
    name: "the server's process is killed",
    says: "connections break, new ones are refused until kubelet has restarted it; answered again within 15 s",
    maySee: WHILE_NO_POD,
    holdMs: 3_000,
    run: async (stage) => {
      await stage.start();
      const [session] = (await kubectl(["get", "jobs", "-n", stage.namespace.name, "-o", "jsonpath={.items[0].metadata.name}"])).split(" ");
      const server = await findProcess("server.js", session as string);
      const faultAt = performance.now();
      Deno.kill(server, "SIGKILL");
      return await answeredAgain(stage, faultAt);
    },
  },
  {
    name: "the Pod is deleted without a grace period",
    says: "connections break, new ones are refused until the next Pod is ready; answered again within 15 s (median 5 s)",
    maySee: WHILE_NO_POD,
    holdMs: 3_000,
    againMedianMs: 5_000,
    run: (stage) => deletePod(stage, { gracePeriodSeconds: "0" }),
  },
  {
    name: "the Pod is deleted",
    says: "nothing: the old Pod serves until the next one does",
    maySee: [],
    holdMs: 3_000,
    againMedianMs: 5_000,
    run: (stage) => deletePod(stage),
  },
];

async function deletePod(stage: Stage, query: Record<string, string> = {}): Promise<FaultEnd> {
  await stage.start();
  const { name } = stage.namespace;
  const pod = await kubectl(["get", "pods", "-n", name, "-o", "jsonpath={.items[0].metadata.name}"]);
  const api = await stage.api();
  await api.get("/version");
  const faultAt = performance.now();
  await api.request("DELETE", `/api/v1/namespaces/${name}/pods/${pod}`, { query });
  const end = await answeredAgain(stage, faultAt);
  // With a grace period, the moment that callers could notice is the end of the old Pod.
  await kubectl(["wait", "--for=delete", `pod/${pod}`, "-n", name, "--timeout=20s"]);
  return end;
}

async function answeredAgain(stage: Stage, faultAt: number): Promise<FaultEnd> {
  await stage.flow.untilAnswered(2 * LONGEST_MS);
  return { faultAt, again: { since: faultAt, withinMs: LONGEST_MS } };
}
