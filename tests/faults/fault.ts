import { judge, type Judgement, type Statement } from "./judgement.ts";
import { pause, Stage } from "./stage.ts";

/** Something that happens to a session, and what callers may see of it. */
export interface Fault extends Statement {
  /** What happens; the text of the first column of docs/reliability.md. */
  readonly name: string;
  /** It disturbs every session of the cluster, so it runs alone. */
  readonly alone?: boolean;
  /** How long the cluster's controllers may take to clean up after Ctrl+C, in milliseconds. @default {0} */
  readonly cleanUpMs?: number;
  /** The largest median, over ten runs or more, of the time until requests are answered again, in milliseconds. */
  readonly againMedianMs?: number;
  /** Starts the stage, causes the fault, and waits until requests are answered again if they should be. */
  readonly run: (stage: Stage) => Promise<FaultEnd>;
}

/** What a fault reports at its end. Times are those of `performance.now()`. */
export interface FaultEnd {
  readonly faultAt: number;
  /** From when requests can be answered again, and the time they have for it; absent if they never are. */
  readonly again?: { readonly since: number; readonly withinMs: number };
  /** Further durations in milliseconds, or counts, by their description. */
  readonly figures?: Readonly<Record<string, number>>;
}

/** One run of a fault. */
export interface FaultRun {
  readonly fault: Fault;
  readonly judgement: Judgement;
  readonly figures: Readonly<Record<string, number>>;
  /** What was not as stated; empty if everything was. */
  readonly wrong: readonly string[];
  readonly tookMs: number;
  /** The longest time that the suite itself did not run: on a busy machine nothing shorter can be measured. */
  readonly stalledMs: number;
}

/** How long requests flow on after the fault. */
const GO_ON_MS = 2_000;
/** No fault takes this long. */
const LIMIT_MS = 240_000;

/** Causes a fault once and judges the result. Never throws: if not even a namespace could be created, that is the finding. */
export async function runFault(fault: Fault, transport: string): Promise<FaultRun> {
  const began = performance.now();
  let run: Omit<FaultRun, "fault" | "tookMs"> | undefined;
  const wrong: string[] = [];
  try {
    await using stage = await Stage.open(fault.holdMs, transport);
    run = await runOn(stage, fault);
  } catch (error) {
    wrong.push(`around it: ${messageOf(error)}`);
  }
  run ??= { judgement: judge(fault, { records: [], seen: new Map(), faultAt: began }), figures: {}, wrong: [], stalledMs: 0 };
  return { ...run, fault, wrong: [...run.wrong, ...wrong], tookMs: performance.now() - began };
}

async function runOn(stage: Stage, fault: Fault): Promise<Omit<FaultRun, "fault" | "tookMs">> {
  let end: FaultEnd = { faultAt: performance.now() };
  try {
    end = await within(LIMIT_MS, fault.run(stage));
    await pause(GO_ON_MS);
  } catch (error) {
    stage.wrong.push(messageOf(error));
  }
  const judgement = judge(fault, { records: await stage.records(), seen: stage.seen(), faultAt: end.faultAt, again: end.again });
  const said = await stage.said();
  await stage.ctrlC(fault.cleanUpMs ?? 0).catch((error) => stage.wrong.push(messageOf(error)));
  const wrong = [...judgement.wrong, ...stage.wrong];
  if (wrong.length > 0) wrong.push(`what was said:\n${indented(said)}`);
  return { judgement, figures: end.figures ?? {}, wrong, stalledMs: stage.stalledMs };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => timer = setTimeout(() => reject(new Error(`not over after ${ms / 1000} s`)), ms));
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function indented(text: string): string {
  return text.trimEnd().split("\n").map((line) => `      ${line}`).join("\n");
}
