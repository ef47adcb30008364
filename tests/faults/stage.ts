import type { Kubeconfig } from "../e2e/kubeconfig_file.ts";
import { KubeconfigFile } from "../e2e/kubeconfig_file.ts";
import { KurunProcess } from "../e2e/kurun_process.ts";
import { kubectl, objectsIn, TestNamespace } from "../e2e/kubernetes.ts";
import type { Api } from "../../k8s/api/api.ts";
import { ApiError } from "../../k8s/api/api_error.ts";
import { apiOfTests } from "./api_server.ts";
import { Flow } from "./flow.ts";
import type { FlowRecord } from "./flow_records.ts";
import type { Destination } from "./http_caller.ts";
import { PodLog } from "./pod_log.ts";
import { RecordingUpstream } from "./recording_upstream.ts";

/** How to start kurun for a fault. */
export interface StartOptions {
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  /** Where the flow goes; to the Service's port 80 by default. */
  readonly to?: (address: string) => Destination;
}

/** The label on every object of a session. */
const SESSION = "kurun.dev/session";
/** Longer than a start takes on two busy cores. */
const STEADY_MS = 30_000;
/** How long the cluster's controllers take to resume their work after an interruption. */
const CONTROLLERS_MS = 120_000;
/** The cluster's view and ours may differ by this much. */
const NOTICED_MS = 500;
/** The longest that Ctrl+C may take. */
const CTRL_C_MS = 10_000;

/** A namespace with a session, its program here and a flow of requests, for one run of a fault. */
export class Stage implements AsyncDisposable {
  readonly namespace: TestNamespace;
  readonly holdMs: number;
  readonly upstream = new RecordingUpstream();
  /** What was not as the fault states it. */
  readonly wrong: string[] = [];
  #kurun: KurunProcess | undefined;
  #podLog: PodLog | undefined;
  readonly #flows: Flow[] = [];
  readonly #upstreams = [this.upstream];
  readonly #kept = new AsyncDisposableStack();

  private constructor(namespace: TestNamespace, holdMs: number, readonly transport: string) {
    this.namespace = namespace;
    this.holdMs = holdMs;
  }

  /** Creates a stage. @returns once the cluster's controllers have seen the namespace, which takes time after the API server was killed */
  static async open(holdMs: number, transport: string): Promise<Stage> {
    const stage = new Stage(await TestNamespace.create(), holdMs, transport);
    const account = ["serviceaccount/default", "-n", stage.namespace.name];
    await kubectl(["wait", "--for=create", ...account, `--timeout=${CONTROLLERS_MS / 1000}s`]);
    return stage;
  }

  /** The client that has the session now. */
  get kurun(): KurunProcess {
    return this.#kurun as KurunProcess;
  }

  set kurun(kurun: KurunProcess) {
    this.#kurun = this.keep(kurun);
  }

  /** The requests. */
  get flow(): Flow {
    return this.#flows.at(-1) as Flow;
  }

  /** Disposes of something when the stage ends. */
  keep<T extends AsyncDisposable>(resource: T): T {
    return this.#kept.use(resource);
  }

  /** The program of another client. */
  anotherUpstream(): RecordingUpstream {
    const upstream = new RecordingUpstream();
    this.#upstreams.push(upstream);
    return upstream;
  }

  /** The command line of a client for this stage. */
  portForward(upstream: RecordingUpstream, ...more: readonly string[]): string[] {
    const flags = ["-n", this.namespace.name, "--hold", `${this.holdMs}ms`, "--transport", this.transport];
    return ["port-forward", upstream.url, ...flags, ...more];
  }

  /** Starts kurun and the requests. @returns once none has failed for two seconds @throws if that does not happen */
  async start({ args = [], env = {}, to }: StartOptions = {}): Promise<void> {
    this.kurun = KurunProcess.start(this.portForward(this.upstream, ...args), env);
    await this.kurun.ready();
    await this.namespace.onlyReadyPods();
    this.#podLog = this.keep(new PodLog(this.namespace.name));
    await this.startFlow(to);
  }

  /** Starts requests to the Service in its current state. @throws if they are not answered for two seconds in a row */
  async startFlow(to: (address: string) => Destination = (host) => ({ host, port: 80 })): Promise<void> {
    this.#flows.push(new Flow(to(await this.namespace.address())));
    if (!await this.flow.untilAnswered(STEADY_MS)) throw new Error("requests did not flow before the fault");
  }

  /** A kubeconfig that differs from the cluster's. @returns its path */
  async kubeconfig(change: (kubeconfig: Kubeconfig) => void | Promise<void>): Promise<string> {
    return this.keep(await KubeconfigFile.create(change)).path;
  }

  /** A kubeconfig that reaches the API server by another port of this machine. @returns its path */
  async throughPort(port: number): Promise<string> {
    return await this.kubeconfig((kubeconfig) => {
      const { cluster } = kubeconfig.clusters[0]!;
      const server = new URL(String(cluster["server"]));
      server.port = String(port);
      cluster["server"] = server.href;
    });
  }

  /** Records what is not as it should be. */
  check(right: boolean, otherwise: string): void {
    if (!right) this.wrong.push(otherwise);
  }

  /** Waits for the client to end by itself. @returns its exit code, or undefined if it still runs after `ms` */
  async exit(ms: number, kurun = this.kurun): Promise<number | undefined> {
    let late: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<undefined>((resolve) => late = setTimeout(() => resolve(undefined), ms));
    return await Promise.race([kurun.exit, patience]).finally(() => clearTimeout(late));
  }

  /** Everything in the namespace that kurun has created. @param marked whether objects marked for deletion count */
  async left(marked: boolean): Promise<string[]> {
    const ours = (await objectsIn(this.namespace.name)).filter(({ metadata }) => metadata.labels?.[SESSION] !== undefined);
    return ours.filter(({ metadata }) => marked || !metadata.deletionTimestamp).map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  }

  /** Waits until nothing is left, not even objects marked for deletion. @returns what is left after `ms` */
  async untilGone(ms: number): Promise<string[]> {
    const until = performance.now() + ms;
    for (;;) {
      const left = await this.left(true);
      if (left.length === 0 || performance.now() > until) return left;
      await pause(200);
    }
  }

  /**
   * Lets requests flow until the Service is gone. Requests sent shortly before are not judged: kurun cannot say where an address leads that
   * no Service has any more.
   * @throws if it still exists after `ms`
   */
  async flowUntilServiceGone(ms: number): Promise<void> {
    const until = performance.now() + ms;
    const path = `/api/v1/namespaces/${this.namespace.name}/services/kurun`;
    const api = await this.api();
    while (await api.get(path).then(() => true, (error) => !(error instanceof ApiError && error.status === 404))) {
      if (performance.now() > until) throw new Error(`the Service still existed after ${ms} ms`);
      await pause(100);
    }
    await this.flow.stop(performance.now() - NOTICED_MS);
  }

  /** A client of the API server, as administrator. */
  async api(): Promise<Api> {
    const api = await apiOfTests();
    this.#kept.defer(() => api.close());
    return api;
  }

  /** Ends the client by Ctrl+C if it still runs, and checks that nothing is left. @param patienceMs how long the cluster may take */
  async ctrlC(patienceMs: number): Promise<void> {
    if (await this.exit(0) !== undefined) return;
    this.kurun.signal("SIGINT");
    const code = await this.exit(CTRL_C_MS);
    this.check(code === 0, `Ctrl+C ended kurun by ${code ?? `nothing within ${CTRL_C_MS} ms`}`);
    const until = performance.now() + patienceMs;
    let left = await this.left(false);
    while (left.length > 0 && performance.now() < until) {
      await pause(500);
      left = await this.left(false);
    }
    this.check(left.length === 0, `left after Ctrl+C: ${left.join(", ")}`);
  }

  /** What the client and the Pods have logged: the first Pod until its end, and the Pods that exist now. */
  async said(): Promise<string> {
    const now = await kubectl(["logs", "-n", this.namespace.name, "-l", SESSION, "--prefix", "--tail=50"]).catch((error) => error.message);
    const parts = {
      kurun: this.#kurun?.stdout ?? "",
      "": this.#kurun?.stderr ?? "",
      "the first Pod": this.#podLog?.text ?? "",
      "Pods now": now,
    };
    return Object.entries(parts).map(([who, text]) => `${who && `${who}:\n`}${text}`).join("");
  }

  /** Stops the requests. @returns the records of all flows */
  async records(): Promise<readonly FlowRecord[]> {
    return (await Promise.all(this.#flows.map((flow) => flow.stop()))).flat();
  }

  /** The longest time that this process itself did not run while requests flowed, in milliseconds. */
  get stalledMs(): number {
    return Math.max(0, ...this.#flows.map(({ stalledMs }) => stalledMs));
  }

  /** How often each id was seen by any of the programs. */
  seen(): Map<string, number> {
    const seen = new Map<string, number>();
    for (const upstream of this.#upstreams) {
      for (const [id, times] of upstream.seen) seen.set(id, (seen.get(id) ?? 0) + times);
    }
    return seen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#flows.map((flow) => flow.stop()));
    await this.#kept.disposeAsync();
    await Promise.all(this.#upstreams.map((upstream) => upstream[Symbol.asyncDispose]()));
    // The fault may have deleted the namespace.
    await kubectl(["delete", "namespace", this.namespace.name, "--wait=false", "--ignore-not-found"]);
  }
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
