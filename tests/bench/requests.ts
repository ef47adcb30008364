import { median, percent, type Row, whole } from "./table.ts";
import { wrk, type WrkFigures } from "./wrk.ts";

/** The same page, directly and through kurun: two URLs. */
export interface Ways {
  readonly direct: string;
  readonly through: string;
}

/** How long {@link compareRequests} measures. */
export interface Load {
  readonly connections: number;
  readonly pairs: number;
  readonly seconds: number;
}

/** The medians of several runs, and the errors of all of them. */
export interface RequestFigures {
  readonly perSecond: number;
  readonly text: string;
}

/** Runs wrk both ways in turns after a warm-up, so that both meet the machine in the same state. */
export async function compareRequests(ways: Ways, { connections, pairs, seconds }: Load): Promise<Record<keyof Ways, RequestFigures>> {
  const runs: Record<keyof Ways, WrkFigures[]> = { direct: [], through: [] };
  for (const way of ["direct", "through"] as const) await wrk(ways[way], connections, 1);
  for (let i = 0; i < pairs; i++) {
    for (const way of ["direct", "through"] as const) runs[way].push(await wrk(ways[way], connections, seconds));
  }
  return { direct: medians(runs.direct), through: medians(runs.through) };
}

/** A row of the table. */
export async function requests(what: string, ways: Ways, load: Load): Promise<Row> {
  const { direct, through } = await compareRequests(ways, load);
  const connections = `${load.connections} connection${load.connections === 1 ? "" : "s"}`;
  return {
    what: `${what}, ${connections}`,
    direct: direct.text,
    through: through.text,
    share: percent(through.perSecond, direct.perSecond),
  };
}

function medians(runs: readonly WrkFigures[]): RequestFigures {
  const of = (key: "perSecond" | "p50" | "p99") => median(runs.map((run) => run[key]));
  const errors = runs.flatMap((run) => run.errors ?? []).map((error) => ` (${error})`).join("");
  return {
    perSecond: of("perSecond"),
    text: `${whole(of("perSecond"))}/s, p50 ${of("p50").toFixed(2)} ms, p99 ${of("p99").toFixed(1)} ms${errors}`,
  };
}
