import type { Cluster } from "./cluster.ts";
import { ClusterError } from "./errors.ts";

/** Our own cluster, with what only the code that brings it up uses. */
export interface NodeCluster extends Cluster {
  /** Runs a command of the node's own program, `onenode`, inside the node. @throws {ClusterError} with what it said */
  onenode(args: readonly string[]): Promise<void>;
}

/** The cluster of a node that runs. @param directory the node's */
export function nodeCluster(directory: string): NodeCluster {
  const kubeconfig = `${directory}/admin.kubeconfig`;

  const exec: Cluster["exec"] = (argv, options = {}) =>
    new Deno.Command(`${directory}/bin/onenode`, {
      ...options,
      args: ["enter", directory, ...argv],
      env: {
        PATH: `${directory}/bin:${Deno.env.get("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin"}`,
        KUBECONFIG: kubeconfig,
        // Otherwise kubectl leaves a directory for every port in ~/.kube/cache.
        KUBECACHEDIR: `${directory}/tmp/kubectl`,
        CONTAINERD_NAMESPACE: "k8s.io",
        ...options.env,
      },
    });

  /** Runs a command. @returns what it printed @throws {ClusterError} if it fails */
  const finished = async (what: string, command: Deno.Command, input?: ReadableStream<Uint8Array>): Promise<string> => {
    const child = command.spawn();
    // A program that ends before it has read everything says why on stderr.
    const fed = input?.pipeTo(child.stdin).catch(() => {});
    const { code, stdout, stderr } = await child.output();
    await fed;
    const decoder = new TextDecoder();
    if (code === 0) return decoder.decode(stdout);
    throw new ClusterError(`${what} ended with exit code ${code}: ${decoder.decode(stderr).trim() || decoder.decode(stdout).trim()}`);
  };

  const ask = async (args: readonly string[]) => {
    const argv = ["onenode", ...args] as [string, ...string[]];
    await finished(argv.join(" "), exec(argv, { stdin: "null", stdout: "piped", stderr: "piped" }));
  };

  return {
    foreign: false,
    kubeconfig,
    exec,
    async load(archive) {
      const file = await Deno.open(archive).catch((error) => {
        throw new ClusterError(`${archive} cannot be read: ${error.message}`, { cause: error });
      });
      // Through stdin: the node has its own /run and /tmp.
      const import_ = exec(["ctr", "images", "import", "-"], { stdin: "piped", stdout: "piped", stderr: "piped" });
      const said = await finished(`Loading ${archive}, an archive by docker save or in the OCI layout, with ctr`, import_, file.readable);
      return [...said.matchAll(/^unpacking (\S+)/gm)].map(([, name]) => name ?? "");
    },
    control: (action, component, signal) => ask([action, component, ...signal ? [signal] : []]),
    onenode: ask,
  };
}
