import { median, percent, type Row, whole } from "./table.ts";
import { wrk, type WrkFigures } from "./wrk.ts";

/** The same page's URL by each way to it, such as directly and through kurun. */
export type Ways<Name extends string> = Readonly<Record<Name, string>>;

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

/** Runs wrk each way in turns after a warm-up, so that all meet the machine in the same state. */
export async function compareRequests<Name extends string>(
  ways: Ways<Name>,
  { connections, pairs, seconds }: Load,
): Promise<Record<Name, RequestFigures>> {
  const runs = Object.entries<string>(ways).map(([name, url]) => ({ name: name as Name, url, figures: [] as WrkFigures[] }));
  for (const { url } of runs) await wrk(url, connections, 1);
  for (let i = 0; i < pairs; i++) {
    for (const { url, figures } of runs) figures.push(await wrk(url, connections, seconds));
  }
  return Object.fromEntries(runs.map(({ name, figures }) => [name, medians(figures)])) as Record<Name, RequestFigures>;
}

/** A row of the table. */
export async function requests(what: string, ways: Ways<"direct" | "through">, load: Load): Promise<Row> {
  const { direct, through } = await compareRequests(ways, load);
  return {
    what: `${what}, ${connectionsText(load.connections)}`,
    direct: direct.text,
    through: through.text,
    share: percent(through.perSecond, direct.perSecond),
  };
}

/** `1 connection` or `50 connections`. */
export function connectionsText(connections: number): string {
  return `${connections} connection${connections === 1 ? "" : "s"}`;
}

function medians(runs: readonly WrkFigures[]): RequestFigures {
  const of = (key: "perSecond" | "p50" | "p99") => median(runs.map((run) => run[key]));
  const errors = runs.flatMap((run) => run.errors ?? []).map((error) => ` (${error})`).join("");
  return {
    perSecond: of("perSecond"),
    text: `${whole(of("perSecond"))}/s, p50 ${of("p50").toFixed(2)} ms, p99 ${of("p99").toFixed(1)} ms${errors}`,
  };
}
