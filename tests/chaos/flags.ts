import { parseArgs } from "node:util";

/** The arguments of `deno task test:chaos`. */
export interface ChaosFlags {
  /** Decides what happens, in which order, and with which file the run begins. */
  readonly seed: number;
  /** No file is begun after this time. */
  readonly minutes: number;
  /** Runs only the files of tests/e2e whose name contains one of these; all of them if empty. */
  readonly only: readonly string[];
  /** Writes the run into docs/reliability.md. */
  readonly write: boolean;
}

/** Reads the arguments. @throws {TypeError} if they are wrong */
export function chaosFlags(args: readonly string[]): ChaosFlags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string", default: "1" },
      minutes: { type: "string", default: "15" },
      only: { type: "string", multiple: true, default: [] },
      write: { type: "boolean", default: false },
    },
  });
  const whole = (flag: "seed" | "minutes") => {
    if (!/^[1-9]\d{0,8}$/.test(values[flag])) throw new TypeError(`--${flag} ${values[flag]} must be a whole number: try --${flag} 20`);
    return Number(values[flag]);
  };
  if (values.write && values.only.length > 0) throw new TypeError("--write needs all files: it cannot be combined with --only");
  return { seed: whole("seed"), minutes: whole("minutes"), only: values.only, write: values.write };
}
