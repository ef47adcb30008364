/** What wrk measured: requests a second, and the latency that half and 99 of 100 requests stayed under, in milliseconds. */
export interface WrkFigures {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** Runs wrk for `seconds` with so many kept connections. @throws where a request failed */
export async function wrk(url: string, connections: number, seconds: number): Promise<WrkFigures> {
  const threads = Math.min(2, connections);
  const args = [`-t${threads}`, `-c${connections}`, `-d${seconds}s`, "--latency", url];
  const { code, stdout, stderr } = await new Deno.Command("wrk", { args, stdout: "piped", stderr: "piped" }).output();
  const text = new TextDecoder().decode(stdout);
  if (code !== 0) throw new Error(`wrk: ${new TextDecoder().decode(stderr)}`);
  const errors = /Socket errors: ([^\n]*)|Non-2xx[^\n]*/.exec(text);
  if (errors) throw new Error(`wrk ${url}: ${errors[0]}`);
  return { perSecond: number(text, /Requests\/sec:\s+([\d.]+)/), p50: milliseconds(text, "50%"), p99: milliseconds(text, "99%") };
}

function number(text: string, pattern: RegExp): number {
  const found = pattern.exec(text);
  if (!found) throw new Error(`wrk printed no ${pattern}:\n${text}`);
  return Number(found[1]);
}

function milliseconds(text: string, percentile: string): number {
  const found = new RegExp(`${percentile}\\s+([\\d.]+)(us|ms|s)`).exec(text);
  if (!found) throw new Error(`wrk printed no ${percentile}:\n${text}`);
  return Number(found[1]) * { us: 0.001, ms: 1, s: 1000 }[found[2] as "us" | "ms" | "s"];
}
