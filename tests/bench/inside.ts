/** The measurements, made inside the cluster's network: the same load on the program directly and through kurun, in turns. */
import { findProcess, KurunProcess, peakMemory } from "../e2e/kurun_process.ts";
import { kubectl, TestNamespace } from "../e2e/kubernetes.ts";
import { count, zeros } from "../e2e/upstreams.ts";
import { Nginx } from "./nginx.ts";
import { wrk, type WrkFigures } from "./wrk.ts";

const PAIRS = 3;
const SECONDS = 4;
const MB = 1_000_000;

await using namespace = await TestNamespace.create();
await using nginx = await Nginx.start();
const direct = `http://127.0.0.1:${nginx.port}/`;
const starts = await startTimes();
await using kurun = await KurunProcess.start(["port-forward", direct, "-n", namespace.name]).ready();
const tunnel = `http://${await namespace.address()}/`;
await wrk(tunnel, 50, 2);

row("what", "direct", "through kurun", "share");
for (const connections of [1, 50, 500]) await requests(connections);
await bulk("50 MB down", async (url) => void await count((await fetch(`${url}big`)).body));
await bulkUp();
row("--help", "", `${median(await helpTimes()).toFixed(2)} s`, "");
row("start to the first answer", "", `${median(starts.map(({ first }) => first)).toFixed(2)} s`, "");
row("Ctrl+C to exit", "", `${median(starts.map(({ exit }) => exit)).toFixed(2)} s`, "");
const session = (await kubectl(["get", "jobs", "-n", namespace.name, "-o", "jsonpath={.items[0].metadata.name}"])).trim();
const peaks = [await peakMemory(kurun.pid), await peakMemory(await findProcess("server.js", session))].map((bytes) =>
  `${Math.round(bytes / MB)} MB`
);
row("most memory, laptop / Pod", "", peaks.join(" / "), "");

/** Pairs in turn, so that both see the machine in the same mood; the medians count. */
async function requests(connections: number): Promise<void> {
  const [without, through]: [WrkFigures[], WrkFigures[]] = [[], []];
  for (let i = 0; i < PAIRS; i++) {
    without.push(await wrk(direct, connections, SECONDS));
    through.push(await wrk(tunnel, connections, SECONDS));
  }
  const show = (figures: WrkFigures[]) => {
    const of = (key: keyof WrkFigures) => median(figures.map((figure) => figure[key]));
    return `${Math.round(of("perSecond"))}/s, p50 ${of("p50").toFixed(2)} ms, p99 ${of("p99").toFixed(1)} ms`;
  };
  const rate = (figures: WrkFigures[]) => median(figures.map(({ perSecond }) => perSecond));
  row(`requests, ${connections} connections`, show(without), show(through), `${(100 * rate(through) / rate(without)).toFixed(1)} %`);
}

async function bulk(what: string, transfer: (url: string) => Promise<void>): Promise<void> {
  const speeds: Record<string, number[]> = { [direct]: [], [tunnel]: [] };
  for (let i = 0; i < 5; i++) {
    for (const url of [direct, tunnel]) {
      const started = performance.now();
      await transfer(url);
      speeds[url]?.push(50_000 / (performance.now() - started));
    }
  }
  const [without, through] = [median(speeds[direct] ?? []), median(speeds[tunnel] ?? [])];
  row(what, `${Math.round(without)} MB/s`, `${Math.round(through)} MB/s`, `${(100 * through / without).toFixed(1)} %`);
}

/** nginx keeps no uploads: a program of our own counts them, over raw TCP. */
async function bulkUp(): Promise<void> {
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
  const server = Deno.serve(options, async (request) => new Response(String(await count(request.body))));
  const url = `http://127.0.0.1:${server.addr.port}/`;
  await using _kurun = await KurunProcess.start(["port-forward", url, "-n", namespace.name, "--servicename", "up"]).ready();
  const through = `http://${await namespace.address("up")}/`;
  const speeds: Record<string, number[]> = { [url]: [], [through]: [] };
  for (let i = 0; i < 5; i++) {
    for (const target of [url, through]) {
      const started = performance.now();
      await (await fetch(target, { method: "POST", body: zeros(50 * MB) })).text();
      speeds[target]?.push(50_000 / (performance.now() - started));
    }
  }
  const [a, b] = [median(speeds[url] ?? []), median(speeds[through] ?? [])];
  row("50 MB up", `${Math.round(a)} MB/s`, `${Math.round(b)} MB/s`, `${(100 * b / a).toFixed(1)} %`);
  await server.shutdown();
}

/** The start of the process and its help, in seconds. */
async function helpTimes(): Promise<number[]> {
  const times = [];
  for (let i = 0; i < 5; i++) {
    const started = performance.now();
    await KurunProcess.run(["--help"]);
    times.push((performance.now() - started) / 1000);
  }
  return times;
}

/** Enter to the first answer by the Service's address, asked every 20 ms; and Ctrl+C to the end of the process. In seconds. */
async function startTimes(): Promise<{ first: number; exit: number }[]> {
  const times = [];
  for (let i = 0; i < 5; i++) {
    const service = `start-${i}`;
    const started = performance.now();
    const process = KurunProcess.start(["port-forward", direct, "-n", namespace.name, "--servicename", service]);
    let address = "";
    while (!address) address = await namespace.address(service).catch(() => "");
    while (!await fetch(`http://${address}/`, { signal: AbortSignal.timeout(1_000) }).then((answer) => answer.ok, () => false)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const first = (performance.now() - started) / 1000;
    await process.ready();
    const interrupted = performance.now();
    process.signal("SIGINT");
    await process.exit;
    times.push({ first, exit: (performance.now() - interrupted) / 1000 });
  }
  return times;
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function row(...cells: string[]): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`| ${cells.join(" | ")} |\n`));
}
