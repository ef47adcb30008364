import { parseArgs } from "node:util";

/** What `deno task bench` was asked for. */
export interface BenchFlags {
  /** Measures only the parts whose name has one of these, in any case; all of them where there are none. */
  readonly only: readonly string[];
  /** Measures as little as it can. */
  readonly quick: boolean;
  /** Puts the table into the documentation. */
  readonly write: boolean;
}

/** Reads the arguments. @throws {TypeError} in words where they are wrong */
export function benchFlags(args: readonly string[]): BenchFlags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", multiple: true, default: [] },
      quick: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  if (values.write && (values.quick || values.only.length > 0)) {
    throw new TypeError("--write takes the whole table: neither --quick nor --only goes with it");
  }
  return values;
}

/** Whether a part is to be measured. */
export function isWanted(part: string, { only }: BenchFlags): boolean {
  return only.length === 0 || only.some((words) => part.toLowerCase().includes(words.toLowerCase()));
}
