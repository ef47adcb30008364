import { kurunCommand } from "./kurun_process.ts";

/** The folder of a test's program, or of an example. */
export function programFolder(path: string): string {
  return new URL(`../../${path}`, import.meta.url).pathname;
}

/** The result of a command line. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a line of bash in which "$@" is kurun, as in a user's pipeline. */
export async function inShell(line: string, options: { cwd?: string; env?: Record<string, string> } = {}): Promise<Finished> {
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", line, "bash", ...kurunCommand()],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...options,
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
