import { kubectl } from "./kubernetes.ts";

/** The parts of a kubeconfig (JSON) that tests change. */
export interface Kubeconfig {
  "current-context": string;
  clusters: { name: string; cluster: Record<string, unknown> }[];
  users: { name: string; user: Record<string, unknown> }[];
  contexts: { name: string; context: Record<string, unknown> }[];
}

/** A test's own kubeconfig, derived from the cluster's and removed when the test ends. */
export class KubeconfigFile implements AsyncDisposable {
  private constructor(readonly path: string) {}

  /** Writes the file. @param change modifies the cluster's kubeconfig, which has one cluster, user and context */
  static async create(change: (kubeconfig: Kubeconfig) => void | Promise<void>): Promise<KubeconfigFile> {
    const kubeconfig: Kubeconfig = JSON.parse(await kubectl(["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]));
    await change(kubeconfig);
    const path = await Deno.makeTempFile({ prefix: "kurun-kubeconfig-" });
    await Deno.writeTextFile(path, JSON.stringify(kubeconfig));
    return new KubeconfigFile(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path);
  }
}
