/** What must hold whatever happens, in what every kurun of a run has said and done. */

/** One kurun, from its witness's file. */
export interface Witnessed {
  readonly pid: number;
  readonly args: readonly string[];
  readonly startedAt: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Stacks of errors and rejections that nothing handled. */
  readonly unhandled: readonly string[];
  /** When it was first told to end, in ms since 1970. */
  readonly signalledAt?: number;
  /** When it was last seen alive after that. */
  readonly aliveAt?: number;
  readonly exit?: { readonly at: number; readonly code: number };
}

/** Longer than Ctrl+C takes while the API server is away. */
const CTRL_C_MS = 20_000;
/** A line of a stack in kurun's own source; that of a user's program is not kurun's. */
const STACK = /^\s+at .*(?:\/(?:cli|k8s|tunnel|server)\/|\/kurun\/server\.js).*:\d+:\d+\)?$/m;
/** These commands hold a session until they are told to end. */
const HOLDERS = ["port-forward", "webhook", "run"];

/** Reads a witness's file. */
export function witnessed(lines: string): Witnessed {
  const seen = { pid: 0, args: [] as string[], startedAt: 0, stdout: "", stderr: "", unhandled: [] as string[] };
  const ends: { signalledAt?: number; aliveAt?: number; exit?: { at: number; code: number } } = {};
  // The last line of a process that was killed may be incomplete.
  for (const line of lines.split("\n").slice(0, -1)) {
    const [at, kind, text]: [number, string, string] = JSON.parse(line);
    if (kind === "start") Object.assign(seen, JSON.parse(text), { startedAt: at });
    if (kind === "stdout" || kind === "stderr") seen[kind] += text;
    if (kind === "unhandled") seen.unhandled.push(text);
    if (kind === "signal") ends.signalledAt ??= at;
    if (kind === "alive") ends.aliveAt = at;
    if (kind === "exit") ends.exit = { at, code: Number(text) };
  }
  return { ...seen, ...ends };
}

/** What one kurun did that it must never do. */
export function findings({ args, stdout, stderr, unhandled, signalledAt, aliveAt, exit }: Witnessed): string[] {
  const name = `kurun ${args.join(" ")}`;
  const found = unhandled.map((stack) => `${name}: nothing handled ${stack}`);
  if (/this is a bug in kurun/.test(stderr) || STACK.test(stderr)) found.push(`${name}: printed a stack: ${stderr.slice(-2_000)}`);
  // With --watch kurun goes on after an error.
  if (exit?.code === 0 && /^error:/m.test(stderr) && !args.includes("--watch")) {
    found.push(`${name}: exit code 0 after an error: ${stderr.slice(-500)}`);
  }
  const ranUntil = exit?.at ?? aliveAt;
  if (signalledAt !== undefined && ranUntil !== undefined && ranUntil - signalledAt > CTRL_C_MS) {
    const end = `${exit ? "ended" : "still ran"} ${((ranUntil - signalledAt) / 1000).toFixed(1)} s`;
    found.push(`${name}: ${end} after it was told to end: ${(stdout + stderr).slice(-500)}`);
  }
  return found;
}

/** Whether a stack of the server is in a Pod's log. */
export function hasStack(log: string): boolean {
  return /\bserver\.js:\d+:\d+/.test(log);
}

/** The namespaces whose kuruns have all ended with success and said nothing of what is left, so that none of their sessions may be there. */
export function namespacesDone(all: readonly Witnessed[]): Set<string> {
  const of = ({ args }: Witnessed) => args[args.findIndex((word) => word === "-n" || word === "--namespace") + 1] ?? "";
  const holders = all.filter(({ args }) => HOLDERS.includes(args[0] ?? "") && args.some((word) => word === "-n" || word === "--namespace"));
  const mayLeave = ({ args, exit, stderr }: Witnessed) =>
    exit?.code !== 0 || args.some((word) => word.startsWith("--rm")) || /^Session \S+ could not be removed /m.test(stderr);
  const unclean = new Set(holders.filter(mayLeave).map(of));
  return new Set(holders.map(of).filter((namespace) => !unclean.has(namespace)));
}

/** Why a test failed, as far as its text says. The first that fits. */
const REASONS: readonly (readonly [string, RegExp])[] = [
  [
    "kurun said that the cluster could not be reached, and ended",
    /^(?:error: |Error from server)?.*(?:cannot reach the API server|connection was lost|ServiceUnavailable|etcdserver)/m,
  ],
  ["the session ended, and kurun said why", /error: (?:session|the session|the Pod|kurun's Pod)/],
  ["the test's own kubectl or caller failed", /kubectl |error sending request|ConnectionRefused|Connection refused|ECONN|client error/],
  ["it took longer than the test waits", /did not before|never|within|not .* after|timed out|did not end|still ran/],
];

/** The kind of reason of a failed test. @param text its error */
export function reasonOf(text: string): string {
  return REASONS.find(([, pattern]) => pattern.test(text))?.[0] ?? "an answer or output was not that of an undisturbed session";
}
