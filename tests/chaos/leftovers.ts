import { userInfo } from "node:os";
import { dirname } from "node:path";
import { KEPT_BY, kubectl, type ListedObject } from "../e2e/kubernetes.ts";
import { pause } from "../faults/stage.ts";
import { hasStack } from "./findings.ts";

/** Kinds that a session consists of; nothing else carries its label. */
const KINDS = "jobs,deployments,replicasets,pods,services,secrets,configmaps,roles,rolebindings,endpointslices,leases";
/** What a session may have put elsewhere. */
const CLUSTER_KINDS =
  "validatingwebhookconfigurations,mutatingwebhookconfigurations,customresourcedefinitions,clusterroles,clusterrolebindings";
const SESSION = "kurun.dev/session";
/** The node keeps them next to its kubeconfig (programs/onenode/configuration.go). */
const POD_LOGS = `${dirname(Deno.env.get("KUBECONFIG") ?? "")}/log/pods`;

/** The namespaces of tests that have ended: each is kept until nothing of kurun is left in it. */
export class Leftovers {
  readonly #files = new Set<string>();
  /** Logs of Pods that have a stack of the server. */
  readonly stacks = new Map<string, string>();

  /** Looks at what a file's tests have left. @returns the sessions in `done`, the namespaces whose kuruns say that they have removed them */
  async after(file: string, done: ReadonlySet<string>): Promise<string[]> {
    this.#files.add(keptBy(file));
    // Tests of other files may be starting sessions in theirs.
    const columns = ["-o", "jsonpath={.items[*].metadata.name}"];
    const own = (await kubectl(["get", "namespaces", "-l", `${KEPT_BY}=${keptBy(file)}`, ...columns])).split(" ");
    const ended = new Set(own.filter((name) => done.has(name)));
    const jobs = (await objects("jobs")).filter(({ metadata }) => !metadata.deletionTimestamp && ended.has(metadata.namespace ?? ""));
    // Tests pretend that somebody else has adopted a session.
    return jobs.filter(({ metadata }) => metadata.annotations?.["kurun.dev/who"] === userInfo().username).map(named);
  }

  /** Removes namespaces in which nothing of kurun is left. @returns what is left in the others */
  async sweep(): Promise<ListedObject[]> {
    await this.#readLogs();
    const left = await objects(KINDS);
    const kept = JSON.parse(await kubectl(["get", "namespaces", "-l", KEPT_BY, "-o", "json"])).items as ListedObject[];
    const ended = kept.filter(({ metadata }) => this.#files.has(metadata.labels?.[KEPT_BY] ?? ""));
    const occupied = new Set(left.map(({ metadata }) => metadata.namespace));
    const free = ended.filter(({ metadata }) => !metadata.deletionTimestamp && !occupied.has(metadata.name)).map(({ metadata }) =>
      metadata.name
    );
    if (free.length > 0) await kubectl(["delete", "namespace", "--wait=false", "--ignore-not-found", ...free]);
    return left.filter(({ metadata }) => ended.some(({ metadata: { name } }) => name === metadata.namespace));
  }

  /** Sweeps again and again until `over`, as far as the API server answers. */
  async keepSweeping(everyMs: number, over: AbortSignal): Promise<void> {
    for (; !over.aborted; await pause(everyMs)) await this.sweep().catch(() => {});
  }

  /** Sweeps until nothing is left. @returns what is left after `ms`, without sessions that their --ttl keeps for longer */
  async finish(ms: number): Promise<string[]> {
    const until = performance.now() + ms;
    for (;;) {
      const left = await this.sweep();
      if (left.length === 0 || performance.now() > until) {
        const staying = new Set(left.filter(isKeptByTtl).map(({ metadata }) => metadata.name));
        return left.filter(({ metadata }) => !staying.has(metadata.labels?.[SESSION] ?? "")).map(named);
      }
      await pause(5_000);
    }
  }

  async #readLogs(): Promise<void> {
    for await (const { name } of Deno.readDir(POD_LOGS)) {
      const folder = `${POD_LOGS}/${name}/server`;
      for (const { name: file } of await Array.fromAsync(Deno.readDir(folder)).catch(() => [])) {
        const text = await Deno.readTextFile(`${folder}/${file}`).catch(() => "");
        if (hasStack(text)) this.stacks.set(`${name}/${file}`, text.slice(-3_000));
      }
    }
  }
}

/** What sessions have put into the cluster outside of their namespaces. */
export async function marksInCluster(): Promise<string[]> {
  const list = JSON.parse(await kubectl(["get", CLUSTER_KINDS, "-o", "json"])).items as ListedObject[];
  return list.filter((object) => JSON.stringify(object).includes("kurun.dev")).map(named);
}

/** A file's name as the value of a label. */
export function keptBy(file: string): string {
  return file.replace(/.*\//, "").replace(/\.ts$/, "");
}

async function objects(kinds: string): Promise<ListedObject[]> {
  return JSON.parse(await kubectl(["get", kinds, "-A", "-l", SESSION, "-o", "json"])).items;
}

function isKeptByTtl({ kind, spec, status }: ListedObject): boolean {
  if (kind !== "Job") return false;
  return !(Date.parse(status.startTime) + spec.activeDeadlineSeconds * 1000 < Date.now());
}

function named({ kind, metadata }: ListedObject): string {
  const namespace = metadata.namespace;
  return `${kind}/${metadata.name}${namespace ? ` in ${namespace}` : ""}`;
}
