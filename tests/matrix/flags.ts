import { parseArgs } from "node:util";
import type { ClusterVariant } from "../cluster/variant.ts";
import { rowName, ROWS } from "./rows.ts";

/** The arguments of `deno task test:matrix`. */
export interface MatrixFlags {
  readonly rows: readonly ClusterVariant[];
  /** Runs every file of tests/e2e. */
  readonly all: boolean;
  /** Writes the rows that ran into docs/compatibility.md. */
  readonly write: boolean;
}

/** Reads the arguments. @throws {TypeError} if they are wrong */
export function matrixFlags(args: readonly string[]): MatrixFlags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", multiple: true, default: [] },
      all: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  const rows = ROWS.filter((row) => values.only.length === 0 || values.only.some((words) => rowName(row).includes(words)));
  if (rows.length === 0) {
    throw new TypeError(`--only ${values.only.join(", ")}: no row has such a name. The rows:\n${ROWS.map(rowName).join("\n")}`);
  }
  return { rows, all: values.all, write: values.write };
}
