import { kurunCommand } from "../e2e/kurun_process.ts";
import { onlyNamed } from "../e2e_rounds.ts";
import { keptBy } from "./leftovers.ts";

/** A test that failed. Times are in milliseconds since 1970. */
export interface FailedTest {
  readonly file: string;
  readonly name: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** Its error. */
  readonly text: string;
}

/** What became of a file's tests. */
export interface FileRun {
  readonly passed: number;
  readonly failed: readonly FailedTest[];
  /** Why the file did not run to its end. */
  readonly broken?: string;
}

const ROOT = new URL("../../", import.meta.url).pathname;
/** The tests of a file wait for up to a minute at many places, and disturbances make several of them do so. */
const LIMIT_MS = 600_000;
/** What is said about a file that was killed then. */
export const NOT_ENDED = `did not end within ${LIMIT_MS / 60_000} min`;
const WITNESS = new URL("witness.ts", import.meta.url).pathname;

/** Runs the tests of a file with each kurun's witness writing to a folder, and their namespaces kept. */
export async function runDisturbed(file: string, folder: string): Promise<FileRun> {
  const [deno, ...rest] = kurunCommand();
  return await run(file, [], `${folder}/${keptBy(file)}.log`, {
    KURUN_COMMAND: JSON.stringify([deno, ...rest.slice(0, -1), "--preload", WITNESS, rest.at(-1)]),
    KURUN_WITNESS: folder,
    KURUN_TEST_KEEP: keptBy(file),
  });
}

/** Runs failed tests of a file again, undisturbed. @returns the names of those that pass */
export async function passAlone(file: string, names: readonly string[], folder: string): Promise<string[]> {
  const { failed, broken } = await run(file, onlyNamed(names), `${folder}/${keptBy(file)}.alone.log`, {});
  return broken === undefined ? names.filter((name) => failed.every((other) => other.name !== name)) : [];
}

async function run(file: string, flags: string[], log: string, env: Record<string, string>): Promise<FileRun> {
  const args = ["test", "-A", "--no-check", ...flags, file];
  const child = new Deno.Command(Deno.execPath(), { args, cwd: ROOT, env: { NO_COLOR: "1", ...env }, stdout: "piped", stderr: "piped" })
    .spawn();
  const limit = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  const ends = new Map<string, { startedAt: number; endedAt: number }>();
  let output = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    let line = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      const lines = (line + text).split("\n");
      line = lines.pop() ?? "";
      for (const ended of lines) {
        const [, name, minutes = 0, seconds = 0] = /^(.+) \.\.\. FAILED \((?:(\d+)m(?!s))?(?:(\d+)s)?/.exec(ended) ?? [];
        if (name) {
          ends.set(name, { startedAt: Date.now() - Number(minutes) * 60_000 - Number(seconds) * 1_000 - 1_000, endedAt: Date.now() });
        }
      }
    }
  };
  const [{ signal }] = await Promise.all([child.status, read(child.stdout), read(child.stderr)]);
  clearTimeout(limit);
  await Deno.writeTextFile(log, output, { append: true });
  return { ...outcomes(file, output, ends), ...signal ? { broken: `${file} ${NOT_ENDED}` } : {} };
}

/** Reads the report of deno test. */
export function outcomes(file: string, output: string, ends: ReadonlyMap<string, { startedAt: number; endedAt: number }>): FileRun {
  const errors = /\n ERRORS \n([^]*)\n FAILURES \n/.exec(output)?.[1] ?? "";
  const parts = errors.split(/^(.+) => \.\/tests\/\S+:\d+:\d+$/m).slice(1);
  const failed = parts.flatMap((name, at) => {
    if (at % 2 === 1) return [];
    return [{ file, name, startedAt: 0, endedAt: 0, ...ends.get(name), text: (parts[at + 1] ?? "").trim() }];
  });
  const passed = Number(/(\d+) passed.* \| \d+ failed/.exec(output)?.[1] ?? 0);
  const sum = /\d+ passed.* \| \d+ failed/.test(output);
  return { passed, failed, ...sum ? {} : { broken: `${file} printed no sum: ${output.slice(-500)}` } };
}
