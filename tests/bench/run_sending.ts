import { kurunCommand } from "../e2e/kurun_process.ts";
import type { TestNamespace } from "../e2e/kubernetes.ts";

const PROGRESS = /Sending the program: ([\d.]+) of ([\d.]+) MB/;

/**
 * Runs a program with `kurun run` in a terminal (of `script`), where kurun shows how much of it has been sent.
 *
 * @param written the program's output
 * @returns bytes per second: what was left to send when progress was first shown, over the time until the program's output
 * @throws if kurun fails, or never shows its progress
 */
export async function runSending(namespace: TestNamespace, folder: string, written: string): Promise<number> {
  const line = [...kurunCommand(), "run", "-n", namespace.name, folder].map(quote).join(" ");
  const child = new Deno.Command("script", {
    // This terminal has no size otherwise.
    args: ["-qefc", `stty columns 100 rows 30 && ${line}`, "/dev/null"],
    env: { TERM: "xterm" },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let shown = "";
  let begun: { at: number; left: number } | undefined;
  let speed: number | undefined;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    shown += text;
    const progress = PROGRESS.exec(shown);
    if (!begun && progress) begun = { at: performance.now(), left: (Number(progress[2]) - Number(progress[1])) * 1e6 };
    if (begun && speed === undefined && shown.includes(written)) speed = begun.left / (performance.now() - begun.at) * 1000;
  }
  const { code } = await child.status;
  if (code !== 0 || speed === undefined) throw new Error(`kurun ended with exit code ${code} and showed: ${shown}`);
  return speed;
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
