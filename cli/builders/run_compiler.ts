/** How to run a compiler. */
export interface CompilerCall {
  readonly program: string;
  readonly args: readonly string[];
  /** The folder that it runs in. */
  readonly folder: string;
  /** Added to kurun's own environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Gets its stderr as it comes. */
  readonly stderr: (text: string) => void;
  readonly signal: AbortSignal;
}

/** A compiler that was asked to end is killed after this. Go finishes the package that it compiles and removes its temporary files. */
const PATIENCE_MS = 2_000;

/** Runs a compiler to its end, without input. @returns its exit code @throws the signal's reason, or Deno.errors.NotFound if it is missing */
export async function runCompiler({ program, args, folder, env, stderr, signal }: CompilerCall): Promise<number> {
  signal.throwIfAborted();
  const child = new Deno.Command(program, { args: [...args], cwd: folder, env: { ...env }, stdin: "null", stdout: "null", stderr: "piped" })
    .spawn();
  let killing: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    // On SIGTERM, Go ends at once; on SIGINT, it cleans up. Windows has no signals, and Deno takes only these names there.
    kill(child, Deno.build.os === "windows" ? "SIGTERM" : "SIGINT");
    killing = setTimeout(() => kill(child, "SIGKILL"), PATIENCE_MS);
  };
  signal.addEventListener("abort", stop, { once: true });
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) if (!signal.aborted) stderr(text);
  })();
  try {
    const { code } = await child.status;
    signal.throwIfAborted();
    await reading;
    return code;
  } finally {
    signal.removeEventListener("abort", stop);
    clearTimeout(killing);
    // Children of a killed compiler may keep the pipe open.
    if (signal.aborted) reading.catch(() => {});
  }
}

/**
 * Runs a compiler to its end, without input and messages. @returns its output, also if it failed
 * @throws the signal's reason, or Deno.errors.NotFound if it is missing
 */
export async function outputOf(
  { program, args, folder, env, signal }: Omit<CompilerCall, "stderr">,
): Promise<{ readonly success: boolean; readonly text: string }> {
  signal.throwIfAborted();
  const options: Deno.CommandOptions = { args: [...args], cwd: folder, env: { ...env }, stdin: "null", stderr: "null", signal };
  const { success, stdout } = await new Deno.Command(program, options).output();
  signal.throwIfAborted();
  return { success, text: new TextDecoder().decode(stdout) };
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended.
  }
}
