import type { TestNamespace } from "../e2e/kubernetes.ts";
import { KubeconfigFile } from "../e2e/kubeconfig_file.ts";
import { bulkRow } from "./bulk.ts";
import type { Effort } from "./effort.ts";
import { Forwarded } from "./forwarded.ts";
import type { Nginx } from "./nginx.ts";
import { freePort, ProgramHere } from "./program_here.ts";
import { requests } from "./requests.ts";
import type { Row } from "./table.ts";

/** Each way, in milliseconds. */
const DELAY_MS = 20;
const WHERE = `${DELAY_MS} ms each way`;

/** Measures with a delaying relay between kurun and the API server. The direct way goes through another such relay, to nginx. */
export async function* delayedRows(namespace: TestNamespace, nginx: Nginx, effort: Effort): AsyncGenerator<Row> {
  await using relays = new AsyncDisposableStack();
  let apiServer: URL | undefined;
  await using kubeconfig = await KubeconfigFile.create(async ({ clusters: [entry] }) => {
    const { cluster } = entry!;
    apiServer = new URL(String(cluster.server));
    const relay = relays.use(await startRelay(apiServer.hostname, Number(apiServer.port || 443)));
    cluster["tls-server-name"] ??= apiServer.hostname;
    cluster.server = `https://127.0.0.1:${relay.port}`;
  });
  const toNginx = relays.use(await startRelay("127.0.0.1", nginx.port));
  await using forwarded = await Forwarded.start(namespace, "delayed", nginx.url, "--kubeconfig", kubeconfig.path);
  const direct = { hostname: "127.0.0.1", port: toNginx.port };
  const through = { hostname: forwarded.address, port: 80 };
  const ways = { direct: `http://127.0.0.1:${toNginx.port}/`, through: `http://${forwarded.host}` };
  yield await requests(`requests, ${WHERE}`, ways, { connections: 1, pairs: 1, seconds: effort.seconds });
  for (const direction of ["down", "up"] as const) {
    yield await bulkRow(`50 MB ${direction}, ${WHERE}`, { direction, direct, through, times: effort.times, unit: "Mbit/s" });
  }
}

/** A relay in its own process. */
function startRelay(hostname: string, targetPort: number): Promise<ProgramHere> {
  const port = freePort();
  const program = new URL("delay_relay.ts", import.meta.url).pathname;
  return ProgramHere.start(Deno.execPath(), ["run", "-A", program, `${DELAY_MS}`, `${port}`, hostname, `${targetPort}`], port);
}
