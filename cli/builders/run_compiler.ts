/** A compiler's process. */
export interface CompilerCall {
  readonly program: string;
  readonly args: readonly string[];
  /** It runs here. */
  readonly folder: string;
  /** Added to kurun's own environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Gets what it says, as it says it. */
  readonly stderr: (text: string) => void;
  readonly signal: AbortSignal;
}

/** A compiler that is asked to end and does not is killed after this; Go finishes the package it compiles and removes its temporary files. */
const PATIENCE_MS = 2_000;

/**
 * Runs a compiler to its end, without input. When the signal is aborted it is stopped, and this throws once it is gone.
 *
 * @returns its exit code
 * @throws the signal's reason, or Deno.errors.NotFound where there is no such program
 */
export async function runCompiler({ program, args, folder, env, stderr, signal }: CompilerCall): Promise<number> {
  signal.throwIfAborted();
  const child = new Deno.Command(program, { args: [...args], cwd: folder, env: { ...env }, stdin: "null", stdout: "null", stderr: "piped" })
    .spawn();
  let killing: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    // Go takes SIGTERM for its end at once, and SIGINT for one in order. Windows knows no signals but names.
    kill(child, Deno.build.os === "windows" ? "SIGTERM" : "SIGINT");
    killing = setTimeout(() => kill(child, "SIGKILL"), PATIENCE_MS);
  };
  signal.addEventListener("abort", stop, { once: true });
  const reading = passOn(child.stderr, (text) => signal.aborted || stderr(text));
  try {
    const { code } = await child.status;
    signal.throwIfAborted();
    await reading;
    return code;
  } finally {
    signal.removeEventListener("abort", stop);
    clearTimeout(killing);
    // Children of a compiler that was killed may hold the pipe open.
    if (signal.aborted) reading.catch(() => {});
  }
}

async function passOn(stream: ReadableStream<Uint8Array>, write: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) write(decoder.decode(bytes, { stream: true }));
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended meanwhile.
  }
}
