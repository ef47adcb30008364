/** What wrk measured: requests per second, the latencies p50 and p99 in milliseconds, and errors. */
export interface WrkFigures {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Errors in wrk's words; undefined if there were none. */
  readonly errors: string | undefined;
}

/** Runs wrk for `seconds` over kept connections, with two threads, or one for one connection. @throws if it did not run */
export async function wrk(url: string, connections: number, seconds: number): Promise<WrkFigures> {
  const threads = Math.min(2, connections);
  const args = [`-t${threads}`, `-c${connections}`, `-d${seconds}s`, "--latency", url];
  const { code, stdout, stderr } = await new Deno.Command("wrk", { args, stdout: "piped", stderr: "piped" }).output();
  const text = new TextDecoder().decode(stdout);
  if (code !== 0) throw new Error(`wrk ${url}: ${new TextDecoder().decode(stderr)}`);
  return readWrk(text);
}

/** Reads what wrk prints with `--latency`. @throws if it is something else */
export function readWrk(text: string): WrkFigures {
  const perSecond = number(text, /Requests\/sec:\s+([\d.]+)/);
  const errors = [...text.matchAll(/(?:Socket errors|Non-2xx)[^\n]*/g)].map(([line]) => line);
  if (perSecond === 0) errors.push("no answer in time");
  return {
    perSecond,
    p50: milliseconds(text, "50%"),
    p99: milliseconds(text, "99%"),
    errors: errors.join(", ") || undefined,
  };
}

function number(text: string, pattern: RegExp): number {
  const found = pattern.exec(text);
  if (!found) throw new Error(`wrk printed no ${pattern}:\n${text}`);
  return Number(found[1]);
}

function milliseconds(text: string, percentile: string): number {
  const found = new RegExp(`${percentile}\\s+([\\d.]+)(us|ms|s|m)\\b`).exec(text);
  if (!found) throw new Error(`wrk printed no ${percentile}:\n${text}`);
  return Number(found[1]) * { us: 0.001, ms: 1, s: 1000, m: 60_000 }[found[2] as "us" | "ms" | "s" | "m"];
}
