import { parseArgs } from "node:util";

/** The arguments of `deno task test:faults`. */
export interface FaultFlags {
  /** Runs only the faults whose name contains one of these, ignoring case; all of them if empty. */
  readonly only: readonly string[];
  /** How often each fault is run. */
  readonly repeat: number;
  /** How many faults run at the same time; those that disturb every session run alone. */
  readonly atOnce: number;
  /** The value of kurun's --transport. */
  readonly transport: string;
  /** Writes docs/reliability.md. */
  readonly write: boolean;
}

/** Reads the arguments. @throws {TypeError} if they are wrong */
export function faultFlags(args: readonly string[]): FaultFlags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", multiple: true, default: [] },
      repeat: { type: "string", default: "1" },
      "at-once": { type: "string", default: "3" },
      transport: { type: "string", default: "auto" },
      write: { type: "boolean", default: false },
    },
  });
  if (values.write && values.only.length > 0) throw new TypeError("--write needs all faults: it cannot be combined with --only");
  const repeat = times("--repeat", values.repeat);
  return { only: values.only, transport: values.transport, repeat, atOnce: times("--at-once", values["at-once"]), write: values.write };
}

function times(flag: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new TypeError(`${flag} ${text} must be a whole number from 1 to 9999: try ${flag} 3`);
  return Number(text);
}

/** Whether a fault is wanted. */
export function isWanted(name: string, { only }: Pick<FaultFlags, "only">): boolean {
  return only.length === 0 || only.some((words) => name.toLowerCase().includes(words.toLowerCase()));
}
