import { Api } from "../../k8s/api/api.ts";
import { loadClusterAccess } from "../../k8s/kubeconfig/kubeconfig.ts";
import { anyPointOfASecond } from "./any_point.ts";
import { KurunProcess } from "../e2e/kurun_process.ts";
import type { TestNamespace } from "../e2e/kubernetes.ts";
import { median, type Row, seconds } from "./table.ts";

/** How often the Service is polled, in milliseconds. */
const POLL_MS = 20;

/** From Enter to the first answer at the Service's address, polled every 20 ms; and from Ctrl+C to the end of the process. */
export async function startRows(namespace: TestNamespace, upstream: string, times: number): Promise<Row[]> {
  const api = new Api(await loadClusterAccess({}, { get: (name) => Deno.env.get(name) }), { userAgent: "kurun-bench" });
  const [firsts, exits]: [number[], number[]] = [[], []];
  try {
    for (let i = 0; i < times; i++) {
      const service = `start-${i}`;
      await anyPointOfASecond();
      const started = performance.now();
      await using kurun = KurunProcess.start(["port-forward", upstream, "-n", namespace.name, "--servicename", service]);
      const ended = kurun.exit.then((code) => Promise.reject(new Error(`kurun ended with exit code ${code}: ${kurun.stderr}`)));
      await Promise.race([firstAnswer(api, namespace, service), ended]);
      firsts.push(performance.now() - started);
      await kurun.ready();
      const interrupted = performance.now();
      kurun.signal("SIGINT");
      await kurun.exit;
      exits.push(performance.now() - interrupted);
    }
  } finally {
    api.close();
  }
  return [
    { what: "start to the first answer", through: seconds(median(firsts)) },
    { what: "Ctrl+C to exit", through: seconds(median(exits)) },
  ];
}

/** The start of the process until it has printed its help. */
export async function helpRow(times: number): Promise<Row> {
  const taken = [];
  for (let i = 0; i < times; i++) {
    const started = performance.now();
    const { code, stderr } = await KurunProcess.run(["--help"]);
    if (code !== 0) throw new Error(stderr);
    taken.push(performance.now() - started);
  }
  return { what: "--help", through: seconds(median(taken)) };
}

async function firstAnswer(api: Api, namespace: TestNamespace, service: string): Promise<void> {
  const path = `/api/v1/namespaces/${namespace.name}/services/${service}`;
  const address = await polled(() => api.get(path).then(({ body }) => (body as { spec: { clusterIP: string } }).spec.clusterIP));
  const answered = Promise.withResolvers<void>();
  // Each time another caller: one that meets the node's rules while they change waits for a second.
  const callers = setInterval(() => {
    fetch(`http://${address}/`, { signal: AbortSignal.timeout(1_000) }).then(async (answer) => {
      await answer.body?.cancel();
      if (answer.ok) answered.resolve();
    }).catch(() => {});
  }, POLL_MS);
  const late = setTimeout(() => answered.reject(new Error("no caller got an answer within a minute")), 60_000);
  try {
    await answered.promise;
  } finally {
    clearInterval(callers);
    clearTimeout(late);
  }
}

/** Tries until the result is neither an error nor undefined. @throws the last error, after a minute */
async function polled<T>(ask: () => Promise<T | undefined>): Promise<T> {
  const until = performance.now() + 60_000;
  let last: unknown = new Error("nothing came");
  while (performance.now() < until) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw last;
}
