/**
 * Runs chaos inside the node; tests/chaos.ts starts it there. What was done and what came of it is in build/chaos/SEED.
 *
 * @module
 */
import { e2eFiles } from "../e2e_rounds.ts";
import { GIVEN_UP, KEPT_BY, kubectl } from "../e2e/kubernetes.ts";
import { KurunProcess } from "../e2e/kurun_process.ts";
import { readyAt } from "../faults/control_plane_faults.ts";
import { pause } from "../faults/stage.ts";
import { ACTIONS, KURUN, prepare, processesLike } from "./actions.ts";
import { chaosFlags } from "./flags.ts";
import { findings, namespacesDone, reasonOf, type Witnessed, witnessed } from "./findings.ts";
import { keptBy, Leftovers, marksInCluster } from "./leftovers.ts";
import { type ChaosRun, failureText, type Happening, reasons, withChaosRun } from "./report.ts";
import { type FailedTest, NOT_ENDED, passAlone, runDisturbed } from "./test_file.ts";
import { filesInTurn, turns } from "./turns.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const EVERY_MS = 5_000;
/** Files at the same time: tests mostly wait. */
const LANES = 2;
/** The longest --ttl of a session that does not ask for one (120 s), and as much for the cluster's controllers after the disturbances. */
const GONE_MS = 240_000;
/** A kurun whose test has ended gets this long. */
const END_MS = 15_000;

/** A run under way: what happened, and what came of it. */
class Run {
  readonly happened: Happening[] = [];
  readonly failed: FailedTest[] = [];
  readonly found: string[] = [];
  readonly leftovers = new Leftovers();
  readonly worked = new Set<string>();
  /** What failed each time that it should happen: a machine may lack what it takes. */
  readonly never = new Map<string, string>();
  passed = 0;
  files = 0;

  constructor(readonly seed: number, readonly folder: string) {}

  /** Lets things happen until `over`. */
  async disturb(over: AbortSignal): Promise<void> {
    const sequence = turns(this.seed, ACTIONS);
    while (!over.aborted) {
      // It starts in 2 s, but in 20 s on a machine that is busy with other things: no test would get anywhere.
      await readyAt().catch(() => {});
      const at = Date.now();
      const { action, choice, ms } = sequence.next().value;
      const hit = await action.run({ choice, ms }).then((hit) => {
        this.never.delete(action.name);
        this.worked.add(action.name);
        return hit;
      }, (error) => {
        if (!this.worked.has(action.name)) this.never.set(action.name, error.message);
        return `could not: ${error.message}`;
      });
      const text = `${action.name} (${((Date.now() - at) / 1000).toFixed(1)} s): ${hit}`;
      this.happened.push({ at, text });
      await Deno.writeTextFile(`${this.folder}/happened.log`, `${new Date(at).toISOString()} ${text}\n`, { append: true });
      await pause(at + EVERY_MS - Date.now());
    }
  }

  /** Runs the tests of a file while things happen. */
  async file(file: string): Promise<void> {
    this.files++;
    const { passed, failed, broken } = await runDisturbed(file, this.folder);
    this.passed += passed;
    this.failed.push(...failed);
    if (broken) this.found.push(broken);
    this.found.push(
      ...await this.leftovers.after(file, namespacesDone(await this.kuruns())).then(
        (jobs) => jobs.map((job) => `${file}: ended with success and left ${job}`),
        (error) => [`${file}: what it left could not be seen: ${error.message}`],
      ),
    );
    say(`${file}: ${passed} passed, ${failed.length} failed\n`);
  }

  /** What each kurun has said and done. */
  async kuruns(): Promise<Witnessed[]> {
    const names = (await Array.fromAsync(Deno.readDir(this.folder))).map(({ name }) => name).filter((name) => name.endsWith(".jsonl"));
    return await Promise.all(names.sort().map(async (name) => witnessed(await Deno.readTextFile(`${this.folder}/${name}`))));
  }

  /** Checks, once nothing happens any more, what must hold whatever has happened. */
  async check(): Promise<void> {
    const { found, leftovers } = this;
    await pause(END_MS);
    const givenUp = found.some((text) => text.includes(NOT_ENDED)) || this.failed.some(({ text }) => text.includes(GIVEN_UP));
    for (const { pid, words } of await processesLike(KURUN)) {
      // A test that was given up ends none.
      if (!givenUp) found.push(`still runs although its test has ended: process ${pid}: ${words.join(" ")}`);
      Deno.kill(pid, "SIGKILL");
    }
    found.push(...(await leftovers.finish(GONE_MS)).map((object) => `left after the ttl: ${object}`));
    const { code, stdout, stderr } = await KurunProcess.run(["cleanup", "-A"]);
    say(`kurun cleanup -A: ${stdout}${stderr}`);
    if (code !== 0) found.push(`kurun cleanup -A ended with ${code}: ${stderr}`);
    found.push(...(await marksInCluster()).map((object) => `left after kurun cleanup: ${object}`));
    found.push(...(await this.kuruns()).flatMap(findings));
    for (const [name, why] of this.never) found.push(`never worked here: ${name}: ${why}`);
    for (const [pod, log] of leftovers.stacks) found.push(`a stack in the log of ${pod}: ${log}`);
  }

  /** Runs failed tests again, undisturbed, and writes each down next to what was done meanwhile. */
  async judge(): Promise<ChaosRun["failed"]> {
    const judged: ChaosRun["failed"][number][] = [];
    for (const [file, tests = []] of Map.groupBy(this.failed, ({ file }) => file)) {
      const passing = await passAlone(file, tests.map(({ name }) => name), this.folder);
      judged.push(...tests.map((test) => ({ ...test, reason: reasonOf(test.text), passesAlone: passing.includes(test.name) })));
    }
    const text = judged.map((test) =>
      failureText(test, this.happened.filter(({ at }) => at >= test.startedAt - EVERY_MS && at <= test.endedAt))
    );
    await Deno.writeTextFile(`${this.folder}/failures.txt`, text.join(""));
    return judged;
  }
}

/** @returns whether everything held that must */
async function main(): Promise<boolean> {
  const { seed, minutes, only, write } = chaosFlags(Deno.args);
  const folder = `${ROOT}build/chaos/${seed}`;
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder, { recursive: true });
  const queue = await wantedFiles(seed, only);
  const run = new Run(seed, folder);
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => void prepare().finally(() => Deno.exit(130)));
  await kubectl(["delete", "namespaces", "-l", KEPT_BY, "--ignore-not-found"]);
  await prepare();
  const over = new AbortController();
  const disturbing = [run.disturb(over.signal), run.leftovers.keepSweeping(6 * EVERY_MS, over.signal)];
  const until = performance.now() + minutes * 60_000;
  const lane = async () => {
    for (let file = queue.shift(); file && performance.now() < until; file = queue.shift()) await run.file(file);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  over.abort();
  await Promise.all(disturbing);
  await prepare();
  await run.check();
  const { files, passed, found, happened } = run;
  const failed = await run.judge();
  const date = new Date().toISOString().slice(0, 10);
  const done: ChaosRun = { seed, date, minutes, files, passed, failed, turns: happened.length, kuruns: (await run.kuruns()).length, found };
  if (write) {
    const document = `${ROOT}docs/reliability.md`;
    await Deno.writeTextFile(document, withChaosRun(await Deno.readTextFile(document), done));
  }
  const again = failed.filter(({ passesAlone }) => !passesAlone).map(({ file, name }) => `fails alone too: ${file}: ${name}`);
  for (const text of [...found, ...again]) say(`- ${text}\n`);
  say(
    `seed ${seed}: ${files} files, ${done.turns} things happened to ${done.kuruns} kuruns, ${passed} tests passed, ${failed.length} failed ` +
      `(${reasons(failed)}), ${again.length} of them alone too; ${found.length} findings. See ${folder}\n`,
  );
  return found.length + again.length === 0;
}

/** The files that a run may get to, in its order. */
async function wantedFiles(seed: number, only: readonly string[]): Promise<string[]> {
  const files = await e2eFiles();
  const wanted = files.filter((file) => only.length === 0 || only.some((word) => keptBy(file).includes(word)));
  if (wanted.length === 0) throw new TypeError(`no file of tests/e2e has such a name: ${only.join(", ")}`);
  return filesInTurn(seed, wanted);
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

if (import.meta.main) Deno.exit(await main() ? 0 : 1);
