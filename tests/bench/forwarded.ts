import { findProcess, kurunCommand, KurunProcess, peakMemory } from "../e2e/kurun_process.ts";
import { kubectl, type TestNamespace } from "../e2e/kubernetes.ts";

/** A running `kurun port-forward`, and where callers reach its Service. */
export class Forwarded implements AsyncDisposable {
  private constructor(
    readonly kurun: KurunProcess,
    readonly namespace: TestNamespace,
    readonly service: string,
    readonly address: string,
  ) {}

  /** Starts kurun and waits until it forwards. The Service's port is 80. */
  static start(namespace: TestNamespace, service: string, upstream: string, ...args: string[]): Promise<Forwarded> {
    return Forwarded.startBy(kurunCommand(), namespace, service, upstream, ...args);
  }

  /** Starts kurun by another command than the rest of the benchmark. */
  static async startBy(argv: string[], namespace: TestNamespace, service: string, upstream: string, ...args: string[]): Promise<Forwarded> {
    const kurun = KurunProcess.start(["port-forward", upstream, "-n", namespace.name, "--servicename", service, ...args], {}, { argv });
    try {
      await kurun.ready();
      return new Forwarded(kurun, namespace, service, await namespace.address(service));
    } catch (error) {
      await kurun[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The Service's name with a slash at the end, without a scheme. */
  get host(): string {
    return `${this.address}:80/`;
  }

  /** The peak memory of either end so far, in bytes: kurun here, and the server in its Pod. */
  async peaks(): Promise<{ laptop: number; pod: number }> {
    const session = await kubectl(
      ["get", "service", this.service, "-n", this.namespace.name, "-o", "jsonpath={.metadata.labels.kurun\\.dev/session}"],
    );
    return { laptop: await peakMemory(this.kurun.pid), pod: await peakMemory(await findProcess("server.js", session)) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kurun[Symbol.asyncDispose]();
  }
}
