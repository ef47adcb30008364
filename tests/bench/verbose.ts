import { kurunCommand } from "../e2e/kurun_process.ts";
import type { TestNamespace } from "../e2e/kubernetes.ts";
import type { Effort } from "./effort.ts";
import { compareRequests } from "./requests.ts";
import { percent, type Row } from "./table.ts";

const SERVICE = "verbose";

/** What `-v` costs at 50 connections with its lines written to a file, compared with a session without it, in turns. */
export async function verboseRow(namespace: TestNamespace, upstream: string, quiet: string, effort: Effort): Promise<Row> {
  const folder = await Deno.makeTempDir({ prefix: "kurun-bench-" });
  const lines = `${folder}/lines`;
  const command = [...kurunCommand(), "port-forward", upstream, "-n", namespace.name, "--servicename", SERVICE, "-v"];
  const child = new Deno.Command("sh", { args: ["-c", 'exec "$@" >"$0" 2>&1', lines, ...command], stdin: "null" }).spawn();
  try {
    await untilForwarding(child, lines);
    const load = { connections: 50, pairs: effort.times, seconds: effort.shortSeconds };
    const ways = { direct: quiet, through: `http://${await namespace.address(SERVICE)}/` };
    const { direct, through } = await compareRequests(ways, load);
    const written = await countLines(lines);
    const least = through.perSecond * effort.shortSeconds;
    if (written < least) throw new Error(`-v wrote ${written} lines, and wrk made more than ${least} requests`);
    return {
      what: "requests, 50 connections, with -v to a file",
      direct: `without -v, through kurun as well: ${direct.text}`,
      through: through.text,
      share: `${percent(through.perSecond, direct.perSecond)} of without`,
    };
  } finally {
    child.kill("SIGINT");
    await child.status;
    await Deno.remove(folder, { recursive: true });
  }
}

async function untilForwarding(child: Deno.ChildProcess, file: string): Promise<void> {
  let ended = false;
  child.status.then(() => ended = true);
  let said = "";
  while (!/^Forwarding /m.test(said = await Deno.readTextFile(file).catch(() => ""))) {
    if (ended) throw new Error(`kurun -v ended: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function countLines(path: string): Promise<number> {
  using file = await Deno.open(path);
  let count = 0;
  for await (const chunk of file.readable) for (const byte of chunk) if (byte === 10) count++;
  return count;
}
