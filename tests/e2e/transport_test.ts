import assert from "node:assert/strict";
import { runCommand } from "../cluster/commands.ts";
import { chosenVariant } from "../cluster/variant.ts";
import { findProcesses, KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl } from "./kubernetes.ts";
import { serveHttp } from "./upstreams.ts";

/** A control port that no other test has: the Service's target port is the usual one. */
const CONTROL_PORT = 8334;
const FORWARDS_WITHIN_MS = 10_000;
const FIREWALLS = chosenVariant().topology.startsWith("dual-stack") ? ["iptables", "ip6tables"] : ["iptables"];

/** Drops what API servers send to a Pod's port on connections that begin from now on. The kubelet, on the same node, still reaches it. */
class ApiServerCut implements AsyncDisposable {
  private constructor(readonly folder: string, readonly rule: readonly string[]) {}

  static async open(port: number): Promise<ApiServerCut> {
    const name = `kurun-test-${crypto.randomUUID().slice(0, 8)}`;
    const folder = await Deno.makeTempDir();
    const rule = ["OUTPUT", "-p", "tcp", "--dport", `${port}`, "-m", "cgroup", "--path", name, "-j", "DROP"];
    const cut = new ApiServerCut(folder, rule);
    await run("mount", "-t", "cgroup2", "none", folder);
    await Deno.mkdir(`${folder}/${name}`);
    // With Konnectivity, its agent connects to Pods for the API server.
    const senders = [...await findProcesses("kube-apiserver", "--secure-port"), ...await findProcesses("konnectivity", "--agent-cert")];
    for (const pid of senders) await Deno.writeTextFile(`${folder}/${name}/cgroup.procs`, `${pid}`);
    for (const program of FIREWALLS) await run(program, "-w", "20", "-I", ...rule);
    return cut;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of FIREWALLS) await run(program, "-w", "20", "-D", ...this.rule);
    const group = `${this.folder}/${this.rule.at(-3)}`;
    for (const pid of (await Deno.readTextFile(`${group}/cgroup.procs`)).trim().split("\n").filter((pid) => pid !== "")) {
      await Deno.writeTextFile(`${this.folder}/cgroup.procs`, pid);
    }
    await Deno.remove(group);
    await run("umount", this.folder);
    await Deno.remove(this.folder);
  }
}

async function run(...command: [string, ...string[]]): Promise<void> {
  const { code, said } = await runCommand(command);
  if (code !== 0) throw new Error(`${command.join(" ")}: ${said}`);
}

/** The text at an address. The rules of a busy node's proxy may come seconds after kurun has said that it forwards. */
async function reachedAt(address: string): Promise<string> {
  for (let tries = 1;; tries++) {
    const response = await fetch(`http://${address}/`).catch((error) => {
      if (tries === 20) throw error;
    });
    if (response) return await response.text();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

clusterTest("if the API server's packets to the Pod are dropped, kurun forwards through the kubelet within 10 s", async (namespace) => {
  await using upstream = serveHttp(() => new Response("from here"));
  await using _cut = await ApiServerCut.open(CONTROL_PORT);
  const args = ["port-forward", upstream.url, "-n", namespace.name, "--pod-port", "8333"];
  const began = performance.now();
  await using kurun = await KurunProcess.start(args).ready();
  const took = performance.now() - began;
  assert.match(kurun.stderr, /^The tunnel goes through the Pod's kubelet from now on, because the service proxy failed: /m);
  assert.ok(took < FORWARDS_WITHIN_MS, `it took ${took} ms`);
  assert.equal(await reachedAt(await namespace.address()), "from here");
  // The way is remembered: the tunnel to the next Pod takes no detour.
  await kubectl(["delete", "pod", "-n", namespace.name, "-l", "kurun.dev/session"]);
  assert.equal(await reachedAt(await namespace.address()), "from here");
  assert.equal(kurun.stderr.match(/The tunnel goes through/g)?.length, 1);
});
