/**
 * Runs the faults inside the node; tests/faults.ts starts it there. Its last line has the form of `deno test`'s.
 *
 * @module
 */
import { machineText } from "../bench/machine.ts";
import { chaosPart } from "../chaos/report.ts";
import { ALL_FAULTS } from "./all_faults.ts";
import { type Fault, type FaultRun, runFault } from "./fault.ts";
import { faultFlags, isWanted } from "./flags.ts";
import { reliabilityDocument, runText, wrongTogether } from "./report.ts";

const DOCUMENT = new URL("../../docs/reliability.md", import.meta.url);
/** Runs the wanted faults. @returns whether every run was as stated */
async function main(): Promise<boolean> {
  const flags = faultFlags(Deno.args);
  const machine = await machineText(new Date(), []);
  const wanted = ALL_FAULTS.filter(({ name }) => isWanted(name, flags));
  if (wanted.length === 0) throw new TypeError(`no fault has such a name: ${flags.only.join(", ")}`);
  const due = Array.from({ length: flags.repeat }, () => wanted).flat();
  const runs: FaultRun[] = [];
  const run = async (fault: Fault) => {
    const made = await runFault(fault, flags.transport);
    runs.push(made);
    say(runText(made));
  };
  await together(due.filter(({ alone }) => !alone), flags.atOnce, run);
  await together(due.filter(({ alone }) => alone), 1, run);
  const more = wanted.flatMap((fault) => wrongTogether(fault, runs.filter((run) => run.fault === fault)));
  for (const text of more) say(`${text}\n`);
  const failed = runs.filter(({ wrong }) => wrong.length > 0).length + more.length;
  if (flags.write) {
    const where = `${machine} Up to ${flags.atOnce} faults ran at the same time, except those of the control plane.`;
    await Deno.writeTextFile(DOCUMENT, reliabilityDocument(wanted, runs, where) + chaosPart(await Deno.readTextFile(DOCUMENT)));
  }
  say(`\nfaults: ${runs.length - failed} passed | ${failed} failed\n`);
  return failed === 0;
}

/** Runs faults in their order, several at a time. */
async function together(faults: readonly Fault[], atOnce: number, run: (fault: Fault) => Promise<void>): Promise<void> {
  const queue = [...faults];
  const work = async () => {
    for (let fault = queue.shift(); fault; fault = queue.shift()) await run(fault);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

if (import.meta.main) Deno.exit(await main() ? 0 : 1);
