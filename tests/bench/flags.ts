import { parseArgs } from "node:util";

/** The arguments of `deno task bench`. */
export interface BenchFlags {
  /** Measures only the parts whose name contains one of these, ignoring case; all of them if empty. */
  readonly only: readonly string[];
  /** Measures as little as possible. */
  readonly quick: boolean;
  /** Writes the table into docs/benchmarks.md. */
  readonly write: boolean;
}

/** Reads the arguments. @throws {TypeError} if they are wrong */
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
    throw new TypeError("--write needs the whole table: it cannot be combined with --quick or --only");
  }
  return values;
}

/** Whether a part is wanted. */
export function isWanted(part: string, { only }: BenchFlags): boolean {
  return only.length === 0 || only.some((words) => part.toLowerCase().includes(words.toLowerCase()));
}
