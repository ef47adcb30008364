import { parseArgs } from "node:util";

/** What `deno task test:faults` was asked for. */
export interface FaultFlags {
  /** Makes only the faults whose name has one of these, in any case; all of them where there are none. */
  readonly only: readonly string[];
  /** How often each is made. */
  readonly repeat: number;
  /** So many faults are made at once, but for those that disturb every session. */
  readonly atOnce: number;
  /** Writes docs/reliability.md. */
  readonly write: boolean;
}

/** Reads the arguments. @throws {TypeError} in words where they are wrong */
export function faultFlags(args: readonly string[]): FaultFlags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", multiple: true, default: [] },
      repeat: { type: "string", default: "1" },
      "at-once": { type: "string", default: "3" },
      write: { type: "boolean", default: false },
    },
  });
  if (values.write && values.only.length > 0) throw new TypeError("--write takes all faults: --only does not go with it");
  const repeat = times("--repeat", values.repeat);
  return { only: values.only, repeat, atOnce: times("--at-once", values["at-once"]), write: values.write };
}

function times(flag: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new TypeError(`${flag} ${text} is no number of times: try ${flag} 3`);
  return Number(text);
}

/** Whether a fault is to be made. */
export function isWanted(name: string, { only }: Pick<FaultFlags, "only">): boolean {
  return only.length === 0 || only.some((words) => name.toLowerCase().includes(words.toLowerCase()));
}
