/**
 * Measures kurun against the direct path on the test cluster, or against other tunnels, and prints a Markdown table. Nothing here passes or
 * fails.
 *
 *     deno task bench                                      # the whole table, in under nine minutes once the cluster is up
 *     deno task bench --only "50 MB" --only admission      # the parts whose name contains these words (tests/bench/inside.ts)
 *     deno task bench --quick                              # each part as short as possible, to check that it works
 *     deno task bench --write                              # the whole table, and into docs/benchmarks.md; also with --with
 *     deno task bench --with other=http://other.ns.svc     # requests and bodies, beside another tunnel that runs already (docs/benchmarks.md)
 *
 * The executable's memory is measured if there is a denort (tests/compiled_kurun.ts).
 *
 * KURUN_COMMAND, a JSON list, names the kurun to measure: on another Deno, compiled, or with a profiler, such as
 * `["deno", "run", "-A", "--v8-flags=--prof", "/checkout/main.ts"]`.
 *
 * @module
 */
import { withFigures } from "./bench/document.ts";
import { type BenchFlags, benchFlags, isWanted } from "./bench/flags.ts";
import { MEMORY_PART } from "./bench/memory.ts";
import { ensureUp } from "./cluster/cluster.ts";
import { findProgram } from "./cluster/commands.ts";
import { installPackages } from "./cluster/packages.ts";
import { progressOnStderr } from "./cluster/progress.ts";
import { COMPILED_VARIABLE, compiledKurun } from "./compiled_kurun.ts";
import { loadPodImages } from "./pod_images.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const DOCUMENT = `${ROOT}docs/benchmarks.md`;
/** The programs that make and take the load, and the Debian packages they are in. */
const NEEDED = [["wrk", "wrk"], ["nginx", "nginx-light"], ["redis-server", "redis-server"], ["redis-benchmark", "redis-tools"]] as const;

/** @returns the exit code */
async function bench(flags: BenchFlags): Promise<number> {
  const missing = [];
  for (const [program, debianPackage] of NEEDED) if (!await findProgram(program)) missing.push(debianPackage);
  await installPackages(missing, progressOnStderr());
  const cluster = await ensureUp();
  await loadPodImages(cluster);
  const compiled = isWanted(MEMORY_PART, flags) && flags.others.length === 0 ? await compiledKurun() : undefined;
  const env = compiled ? { [COMPILED_VARIABLE]: compiled } : {};
  const argv = [Deno.execPath(), "run", "-A", "tests/bench/inside.ts", ...Deno.args] as [string, ...string[]];
  const child = cluster.exec(argv, { cwd: ROOT, env, stdout: "piped", stderr: "inherit" }).spawn();
  let table = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    Deno.stdout.writeSync(new TextEncoder().encode(text));
    table += text;
  }
  const { code } = await child.status;
  const section = flags.others.length > 0 ? "bench --with" : "bench";
  if (code === 0 && flags.write) await Deno.writeTextFile(DOCUMENT, withFigures(await Deno.readTextFile(DOCUMENT), section, table));
  return code;
}

if (import.meta.main) {
  let flags: BenchFlags;
  try {
    flags = benchFlags(Deno.args);
  } catch (error) {
    Deno.stderr.writeSync(new TextEncoder().encode(`${(error as Error).message}\n`));
    Deno.exit(2);
  }
  Deno.exit(await bench(flags));
}
