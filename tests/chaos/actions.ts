/** What can happen during a run: programs of the cluster die or freeze, connections break, packets are lost, Pods and clients go. */
import { runCommand } from "../cluster/commands.ts";
import type { Component } from "../cluster/cluster.ts";
import { apiServer } from "../faults/api_server.ts";
import { pause } from "../faults/stage.ts";
import { kubectl } from "../e2e/kubernetes.ts";
import type { Action, Turn } from "./turns.ts";

const CHAIN = "KURUN-CHAOS";
/** The node's Pods (programs/onenode/settings.go). */
const PODS = "10.244.0.0/24";
const KUBELET_PORT = "10250";

const KILLED: readonly (readonly [Component, number])[] = [
  ["kube-apiserver", 3],
  ["etcd", 2],
  ["kube-controller-manager", 2],
  ["kubelet", 2],
  ["kube-scheduler", 1],
  ["kube-proxy", 1],
  ["containerd", 1],
  ["coredns", 1],
];
const FROZEN: readonly (readonly [Component, number])[] = [["kube-apiserver", 2], ["etcd", 1], ["kubelet", 2], [
  "kube-controller-manager",
  1,
]];

/** @see Action */
export const ACTIONS: readonly Action[] = [
  ...KILLED.map(([component, weight]): Action => ({
    name: `${component} is killed and started again`,
    weight,
    run: async () => (await tool("onenode", "restart", component)).trim(),
  })),
  ...FROZEN.map(([component, weight]): Action => ({
    name: `${component} stands still`,
    weight,
    run: async ({ ms }) => await freeze(await processOf(component), ms),
  })),
  {
    name: "all connections to the API server are cut",
    weight: 4,
    run: async () => await cut("dport", `= :${(await apiServer()).url.port}`),
  },
  { name: "all connections to Pods are cut", weight: 3, run: () => cut("dst", PODS) },
  { name: "all connections to the kubelet are cut", weight: 1, run: () => cut("dport", `= :${KUBELET_PORT}`) },
  {
    name: "packets to and from the API server are rejected",
    weight: 3,
    run: ({ ms }) => packets(ms, "-j", "REJECT", "--reject-with", "tcp-reset"),
  },
  { name: "packets to and from the API server are dropped", weight: 3, run: ({ ms }) => packets(ms, "-j", "DROP") },
  {
    name: "every fifth packet to and from the API server is dropped",
    weight: 3,
    run: ({ ms }) => packets(ms, "-m", "statistic", "--mode", "nth", "--every", "5", "--packet", "0", "-j", "DROP"),
  },
  { name: "connections on this machine get 8 Mbit/s together", weight: 2, run: slowDown },
  { name: "a session's Pod is deleted", weight: 3, run: (turn) => deletePod(turn) },
  { name: "a session's Pod is deleted without a grace period", weight: 2, run: (turn) => deletePod(turn, "--grace-period=0", "--force") },
  {
    name: "the server in a Pod is killed",
    weight: 3,
    run: (turn) => onProcess(turn, /\bserver\.js\b/, (pid) => Deno.kill(pid, "SIGKILL")),
  },
  { name: "the server in a Pod stands still", weight: 2, run: (turn) => onProcess(turn, /\bserver\.js\b/, (pid) => freeze(pid, turn.ms)) },
  { name: "a kurun stands still", weight: 2, run: (turn) => onProcess(turn, KURUN, (pid) => freeze(pid, turn.ms)) },
  { name: "a kurun is killed (kill -9)", weight: 1, run: (turn) => onProcess(turn, KURUN, (pid) => Deno.kill(pid, "SIGKILL")) },
];

/** A client that a test has started. */
export const KURUN = /\0--preload\0.*witness\.ts\0.*main\.ts\0/;

/** Prepares the node, and undoes what a run has left that was killed. */
export async function prepare(): Promise<void> {
  await runCommand(["sh", "-c", "kill -CONT -1"]);
  await runCommand(["tc", "qdisc", "del", "dev", "lo", "root"]);
  await runCommand(["iptables", "-w", "20", "-N", CHAIN]);
  await iptables("-F", CHAIN);
  await runCommand(["iptables", "-w", "20", "-D", "OUTPUT", "-j", CHAIN]);
  await iptables("-I", "OUTPUT", "-j", CHAIN);
}

async function packets(ms: number, ...rule: string[]): Promise<string> {
  const { port } = (await apiServer()).url;
  try {
    for (const direction of ["--dport", "--sport"]) await iptables("-A", CHAIN, "-p", "tcp", direction, port, ...rule);
    await pause(ms);
  } finally {
    await iptables("-F", CHAIN);
  }
  return "";
}

async function slowDown({ ms }: Pick<Turn, "ms">): Promise<string> {
  await tool("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "8mbit", "burst", "64kb", "latency", "500ms");
  await pause(ms).finally(() => tool("tc", "qdisc", "del", "dev", "lo", "root"));
  return "";
}

async function cut(...filter: string[]): Promise<string> {
  const lines = (await tool("ss", "-K", "-H", "-t", ...filter)).trim().split("\n").filter((line) => line !== "");
  return `${lines.length} connections`;
}

async function deletePod({ choice }: Pick<Turn, "choice">, ...flags: string[]): Promise<string> {
  const columns = "custom-columns=:metadata.namespace,:metadata.name";
  const lines = (await kubectl(["get", "pods", "-A", "-l", "kurun.dev/session", "--no-headers", "-o", columns])).trim().split("\n").sort();
  const [namespace, name] = at(lines, choice)?.trim().split(/\s+/) ?? [];
  if (!namespace || !name) return "none";
  await kubectl(["delete", "pod", name, "-n", namespace, "--wait=false", "--ignore-not-found", ...flags]);
  return `${namespace}/${name}`;
}

async function onProcess({ choice }: Pick<Turn, "choice">, pattern: RegExp, act: (pid: number) => unknown): Promise<string> {
  const found = at(await processesLike(pattern), choice);
  if (!found) return "none";
  await act(found.pid);
  return `process ${found.pid}: ${found.words.slice(-6).join(" ")}`;
}

/** The processes whose command line matches, oldest first. */
export async function processesLike(pattern: RegExp): Promise<{ readonly pid: number; readonly words: readonly string[] }[]> {
  const found = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const line = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    if (!line.startsWith("/tini") && pattern.test(line)) found.push({ pid: Number(name), words: line.split("\0").slice(0, -1) });
  }
  return found.sort((a, b) => a.pid - b.pid);
}

async function freeze(pid: number, ms: number): Promise<string> {
  Deno.kill(pid, "SIGSTOP");
  await pause(ms);
  // It may have been killed meanwhile.
  try {
    Deno.kill(pid, "SIGCONT");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return `process ${pid}`;
}

async function processOf(component: Component): Promise<number> {
  const pid = new RegExp(`^${component}(?:-1)? +process (\\d+)`, "m").exec(await tool("onenode", "list"))?.[1];
  if (pid === undefined) throw new Error(`${component} is not running`);
  return Number(pid);
}

function at<T>(list: readonly T[], choice: number): T | undefined {
  return list[Math.floor(choice * list.length)];
}

async function iptables(...args: string[]): Promise<void> {
  await tool("iptables", "-w", "20", ...args);
}

async function tool(...argv: [string, ...string[]]): Promise<string> {
  const { code, stdout, said } = await runCommand(argv);
  if (code !== 0) throw new Error(`${argv.join(" ")}: ${said}`);
  return stdout;
}
