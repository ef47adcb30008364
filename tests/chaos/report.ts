import type { FailedTest } from "./test_file.ts";

/** Something that was done, and when, in milliseconds since 1970. */
export interface Happening {
  readonly at: number;
  readonly text: string;
}

/** One run of chaos. */
export interface ChaosRun {
  readonly seed: number;
  /** Such as 2026-11-29. */
  readonly date: string;
  readonly minutes: number;
  readonly files: number;
  readonly passed: number;
  readonly failed: readonly (FailedTest & { readonly reason: string; readonly passesAlone: boolean })[];
  /** How many things happened. */
  readonly turns: number;
  readonly kuruns: number;
  /** What did not hold although it always must. */
  readonly found: readonly string[];
}

const HEADING = "\n## Random chaos\n";
const HEAD = `${HEADING}
The tests on the cluster run while something random happens to the cluster or to kurun every five seconds (later if the API server is not
ready yet): a program of the control plane, the kubelet or containerd is killed or stands still for up to 3.5 s; all connections to the API server, the kubelet or the Pods are cut; packets to and from the
API server are rejected, dropped, or every fifth is lost; connections on the machine get 8 Mbit/s together; a session's Pod is deleted, its
server killed or stopped; a kurun is stopped or killed. The sequence depends on the seed alone.

Most tests describe an undisturbed session, so some fail; each of these runs again, alone and undisturbed. What counts is what must
hold whatever happens, and is checked for every kurun and every namespace of the run (*broken* counts the cases where it did not hold):

- No kurun prints a stack or has an error that nothing handles, and none runs on for more than 20 s after it was told to end.
- No server in a Pod has an error that nothing handles.
- A kurun that ends with success has printed no error, and has removed its session, or has said that the cluster will.
- After the end, nothing of a session is left in any namespace once its \`--ttl\` is over, and after \`kurun cleanup\` nothing in webhook
  configurations and CustomResourceDefinitions.

Written by \`deno task test:chaos --seed N --minutes M --write\`; do not edit.

| seed | date | minutes | files | things that happened | kurun started | tests passed | tests failed | why | failed again alone | broken |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
`;

/** The document with the run in it, in place of an older one with the same seed. */
export function withChaosRun(document: string, run: ChaosRun): string {
  const [before = "", after = ""] = document.split(HEADING);
  const rows = after.split("\n").filter((line) => /^\| \d+ \|/.test(line) && !line.startsWith(`| ${run.seed} |`));
  rows.push(row(run));
  return `${before.trimEnd()}\n${HEAD}${rows.sort((a, b) => parseInt(a.slice(2)) - parseInt(b.slice(2))).join("\n")}\n`;
}

/** The part of the document about chaos, to be kept when the faults are written anew. */
export function chaosPart(document: string): string {
  const at = document.indexOf(HEADING);
  return at < 0 ? "" : document.slice(at);
}

/** A failed test next to what was done meanwhile. */
export function failureText(test: ChaosRun["failed"][number], during: readonly Happening[]): string {
  const { file, name, reason, passesAlone, startedAt, endedAt, text } = test;
  const lines = during.map((happening) => `  ${((happening.at - startedAt) / 1000).toFixed(1)} s: ${happening.text}\n`);
  const head = `${file}: ${name}\n  ${new Date(startedAt).toISOString()} to ${new Date(endedAt).toISOString()}\n`;
  return `${head}  ${reason}; alone it ${passesAlone ? "passes" : "FAILS"}\n${lines.join("")}${text}\n\n`;
}

function row({ seed, date, minutes, files, turns, kuruns, passed, failed, found }: ChaosRun): string {
  const again = failed.filter(({ passesAlone }) => !passesAlone).length;
  return `| ${[seed, date, minutes, files, turns, kuruns, passed, failed.length, reasons(failed), again, found.length].join(" | ")} |`;
}

/** How many tests failed for which reason, the most frequent first. */
export function reasons(failed: readonly { readonly reason: string }[]): string {
  const times = new Map<string, number>();
  for (const { reason } of failed) times.set(reason, (times.get(reason) ?? 0) + 1);
  return [...times].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${count} × ${reason}`).join("; ") || "none failed";
}
