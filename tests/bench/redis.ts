import { freePort, ProgramHere } from "./program_here.ts";
import type { Effort } from "./effort.ts";
import { median, percent, type Row, whole } from "./table.ts";

const CLIENTS = 50;

/** A Redis on this machine that stores nothing on disk. */
export function startRedis(): Promise<ProgramHere> {
  const port = freePort();
  return ProgramHere.start("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], port);
}

/** redis-benchmark's GET with 50 clients, directly and through kurun in turns. */
export async function redisRow(direct: number, through: string, { times, shortSeconds }: Effort): Promise<Row> {
  const places = { direct: ["127.0.0.1", `${direct}`], through: [through, "80"] } as const;
  const runs: Record<keyof typeof places, RedisFigures[]> = { direct: [], through: [] };
  const count = { direct: 0, through: 0 };
  for (const way of ["direct", "through"] as const) {
    // redis-benchmark takes a number of requests, not seconds. The SETs give the GETs something to read.
    await benchmark(places[way], "set", 10_000);
    count[way] = Math.round(shortSeconds * (await benchmark(places[way], "get", 10_000)).perSecond);
  }
  for (let i = 0; i < times; i++) {
    for (const way of ["direct", "through"] as const) runs[way].push(await benchmark(places[way], "get", count[way]));
  }
  const show = (figures: RedisFigures[]) => {
    const of = (key: keyof RedisFigures) => median(figures.map((figure) => figure[key]));
    return `${whole(of("perSecond"))}/s, p50 ${of("p50").toFixed(2)} ms, p99 ${of("p99").toFixed(1)} ms`;
  };
  const rate = (figures: RedisFigures[]) => median(figures.map(({ perSecond }) => perSecond));
  return {
    what: `redis-benchmark GET over tcp://, ${CLIENTS} clients`,
    direct: show(runs.direct),
    through: show(runs.through),
    share: percent(rate(runs.through), rate(runs.direct)),
  };
}

/** Times in milliseconds. */
interface RedisFigures {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

async function benchmark([host, port]: readonly [string, string], test: "get" | "set", requests: number): Promise<RedisFigures> {
  const args = ["-h", host, "-p", port, "-t", test, "-c", `${CLIENTS}`, "-n", `${requests}`, "--csv"];
  const { code, stdout, stderr } = await new Deno.Command("redis-benchmark", { args, stdout: "piped", stderr: "piped" }).output();
  const text = new TextDecoder().decode(stdout);
  const line = new RegExp(`^"${test}",(.*)$`, "im").exec(text)?.[1];
  if (code !== 0 || line === undefined) throw new Error(`redis-benchmark: ${text}${new TextDecoder().decode(stderr)}`);
  // rps, avg, min, p50, p95, p99, max
  const [perSecond, , , p50, , p99] = line.split(",").map((cell) => Number(cell.replaceAll('"', "")));
  return { perSecond: perSecond as number, p50: p50 as number, p99: p99 as number };
}
