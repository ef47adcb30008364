import { COMPILED_VARIABLE } from "../compiled_kurun.ts";
import { kurunCommand } from "../e2e/kurun_process.ts";
import type { TestNamespace } from "../e2e/kubernetes.ts";
import { compareBodies } from "./bulk.ts";
import type { Effort } from "./effort.ts";
import { Forwarded } from "./forwarded.ts";
import type { Nginx } from "./nginx.ts";
import type { Row } from "./table.ts";
import { wrk } from "./wrk.ts";

/** The part's name. */
export const MEMORY_PART = "memory of a session";
/** Until a session counts as idle: its start is over, and it has been renewed. */
const IDLE_MS = 5_000;
const CONNECTIONS = 500;

/** The peak memory of both ends in a session of its own, first idle, then after each load: started like all others, and by the executable, if there is one. */
export async function* memoryRows(namespace: TestNamespace, nginx: Nginx, effort: Effort): AsyncGenerator<Row> {
  const executable = Deno.env.get(COMPILED_VARIABLE);
  const usual = await peaksOf(kurunCommand(), "memory", namespace, nginx, effort);
  const compiled = executable ? await peaksOf([executable], "memory-compiled", namespace, nginx, effort) : undefined;
  for (const [at, { when, text }] of usual.entries()) {
    const through = compiled ? `${text}; the executable ${compiled[at]!.text}` : `${text}; the executable was not measured`;
    yield { what: `peak memory, laptop / Pod, ${when}`, through };
  }
}

/** `58 / 47 MB`: kurun here, and its server in the Pod. */
export function peaksText({ laptop, pod }: { laptop: number; pod: number }): string {
  return `${Math.round(laptop / 1e6)} / ${Math.round(pod / 1e6)} MB`;
}

async function peaksOf(
  command: string[],
  service: string,
  namespace: TestNamespace,
  nginx: Nginx,
  effort: Effort,
): Promise<{ when: string; text: string }[]> {
  await using forwarded = await Forwarded.startBy(command, namespace, service, nginx.url);
  const place = { hostname: forwarded.address, port: 80 };
  const seen: { when: string; text: string }[] = [];
  const note = async (when: string) => seen.push({ when, text: peaksText(await forwarded.peaks()) });
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  await note("idle");
  await wrk(`http://${forwarded.host}`, CONNECTIONS, effort.seconds);
  await note(`after ${CONNECTIONS} connections`);
  for (const direction of ["down", "up"] as const) await compareBodies(direction, { place }, effort.bodies);
  await note("after 50 MB bodies both ways, too");
  return seen;
}
