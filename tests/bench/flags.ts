import { parseArgs } from "node:util";
import { COMPARED_PORT } from "./nginx.ts";

/** Another tunnel to compare with. */
export interface OtherTunnel {
  readonly name: string;
  /** Where callers reach its Service, with a slash at the end. */
  readonly url: string;
}

/** The arguments of `deno task bench`. */
export interface BenchFlags {
  /** Measures only the parts whose name contains one of these, ignoring case; all of them if empty. */
  readonly only: readonly string[];
  /** Measures as little as possible. */
  readonly quick: boolean;
  /** Writes the table into docs/benchmarks.md. */
  readonly write: boolean;
  /** Other tunnels. If there are any, only the parts that compare tunnels are measured. */
  readonly others: readonly OtherTunnel[];
}

/** Reads the arguments. @throws {TypeError} if they are wrong */
export function benchFlags(args: readonly string[]): BenchFlags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", multiple: true, default: [] },
      quick: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      with: { type: "string", multiple: true, default: [] },
    },
  });
  const { only, quick, write } = values;
  if (write && (quick || only.length > 0)) {
    throw new TypeError("--write needs the whole table: it cannot be combined with --quick or --only");
  }
  return { only, quick, write, others: otherTunnels(values.with) };
}

/** Whether a part is wanted. */
export function isWanted(part: string, { only }: BenchFlags): boolean {
  return only.length === 0 || only.some((words) => part.toLowerCase().includes(words.toLowerCase()));
}

function otherTunnels(values: readonly string[]): OtherTunnel[] {
  const names = new Set(["direct", "kurun"]);
  return values.map((value) => {
    const [, name, text] = /^([^=]+)=(.*)$/.exec(value) ?? [];
    const url = text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
    if (name === undefined || url?.protocol !== "http:" || url.href !== `${url.origin}/`) {
      throw new TypeError(
        `--with must be NAME=http://HOST[:PORT], the address of a Service that forwards to 127.0.0.1:${COMPARED_PORT}; got ${value}`,
      );
    }
    if (names.has(name)) throw new TypeError(`--with names ${name} twice, or as one of the columns direct and kurun`);
    names.add(name);
    return { name, url: url.href };
  });
}
