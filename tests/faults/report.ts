import type { Fault, FaultRun } from "./fault.ts";
import type { Sight } from "./flow_records.ts";

/** A pause of the suite itself this long is mentioned. */
const NOTICED_STALL_MS = 250;
/** The median is checked from this many runs on. */
const RUNS_FOR_MEDIAN = 10;

/** One line about a run, followed by what was wrong. */
export function runText({ fault, judgement, figures, wrong, tookMs, stalledMs }: FaultRun): string {
  const { requests, failed, longestMs, againMs, firstFailureMs, sentAnew } = judgement;
  const parts = [
    `${requests} requests`,
    counts(failed) || "none failed",
    ...(firstFailureMs === undefined ? [] : [`first after ${Math.round(firstFailureMs)} ms`]),
    ...(sentAnew === 0 ? [] : [`${sentAnew} sent again`]),
    `longest ${Math.round(longestMs)} ms`,
    ...(againMs === undefined ? [] : [`answered again after ${Math.round(againMs)} ms`]),
    ...Object.entries(figures).map(([name, value]) => `${name} ${Math.round(value)}`),
    ...(stalledMs < NOTICED_STALL_MS ? [] : [`the suite itself paused for ${Math.round(stalledMs)} ms`]),
  ];
  const head = `${fault.name} ... ${wrong.length === 0 ? "ok" : "FAILED"} (${(tookMs / 1000).toFixed(0)} s): ${parts.join("; ")}\n`;
  return head + wrong.map((text) => `    - ${text}\n`).join("");
}

/** What is wrong with all runs of a fault taken together. */
export function wrongTogether(fault: Fault, runs: readonly FaultRun[]): string[] {
  const { againMedianMs } = fault;
  const again = againOf(runs);
  if (againMedianMs === undefined || again.length < RUNS_FOR_MEDIAN || median(again) <= againMedianMs) return [];
  return [`${fault.name}: answered again after ${Math.round(median(again))} ms in the median, where ${againMedianMs} ms are allowed`];
}

/** The text of docs/reliability.md. @param machine a paragraph that says where and when it was measured */
export function reliabilityDocument(faults: readonly Fault[], runs: readonly FaultRun[], machine: string): string {
  const rows = faults.map((fault) => row(fault, runs.filter((run) => run.fault === fault)));
  return `# Reliability

What callers of a Service see while parts of kurun or of the cluster fail. Callers send 50 requests per second, whether or not earlier ones have been
answered, four of five on a new connection, each with an id. Each request must get its answer, or what the row allows, within
\`--hold\` (3 s) plus a second, and the program must see each id at most once. *Seen* counts what callers got instead of their answer: *503
lost* if the connection was lost while a request was open, *503 nobody* if no client was connected, otherwise the error of the connection.
*Again* is the time until every request is once more answered within a second. It is measured from the fault, or from the return of the
network, the API server (its first 200 from /readyz) or the client.

Written by \`deno task test:faults --repeat N --write\`; do not edit. ${machine}

| when | callers may see | runs that passed | requests | seen | longest wait | again, median | again, longest | also measured |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
${rows.join("")}`;
}

function row(fault: Fault, runs: readonly FaultRun[]): string {
  const failed = new Map<Sight, number>();
  for (const { judgement } of runs) for (const [sight, times] of judgement.failed) failed.set(sight, (failed.get(sight) ?? 0) + times);
  const again = againOf(runs);
  const cells = [
    fault.name,
    fault.says,
    `${runs.filter(({ wrong }) => wrong.length === 0).length} of ${runs.length}`,
    runs.reduce((sum, { judgement }) => sum + judgement.requests, 0).toLocaleString("en-US"),
    counts(failed) || "nothing",
    seconds(Math.max(...runs.map(({ judgement }) => judgement.longestMs))),
    again.length === 0 ? "" : seconds(median(again)),
    again.length === 0 ? "" : seconds(Math.max(...again)),
    figuresText(runs),
  ];
  return `| ${cells.join(" | ")} |\n`;
}

function figuresText(runs: readonly FaultRun[]): string {
  const names = [...new Set(runs.flatMap(({ figures }) => Object.keys(figures)))];
  return names.map((name) => {
    const values = runs.flatMap(({ figures }) => figures[name] ?? []);
    if (!name.startsWith("until ")) return `${name}: ${values.reduce((sum, value) => sum + value, 0).toLocaleString("en-US")}`;
    return `${name}: median ${seconds(median(values))}, at most ${seconds(Math.max(...values))}`;
  }).join("; ");
}

function againOf(runs: readonly FaultRun[]): number[] {
  return runs.flatMap(({ judgement }) => judgement.againMs ?? []);
}

function counts(failed: ReadonlyMap<Sight, number>): string {
  return [...failed].sort().map(([sight, times]) => `${times.toLocaleString("en-US")} × ${sight}`).join(", ");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2;
}
