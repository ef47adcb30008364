/** How a program ended. */
export interface ProgramEnd {
  readonly stdout: string;
  readonly stderr: string;
  /** Undefined after success, else why: `npm was not found in PATH`, `npm pack failed with exit code 1: npm error code E404`. */
  readonly failure: string | undefined;
  /** Whether there is no such program. */
  readonly missing: boolean;
}

/** Options for {@link runProgram}. */
interface ProgramOptions {
  /** What messages call it, where the name alone says too little. */
  readonly name?: string;
  /** Variables in addition to kurun's own. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly input?: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
}

/** A longer output is cut off in messages, in characters. */
const MAX_SAID = 1_000;

/** Runs a program to its end. @throws the signal's reason, or an error of `input` */
export async function runProgram(program: string, args: readonly string[], options: ProgramOptions = {}): Promise<ProgramEnd> {
  const { name = program, env = {}, input, signal } = options;
  signal?.throwIfAborted();
  let child;
  try {
    child = new Deno.Command(program, {
      args: [...args],
      env: { ...env },
      stdin: input ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
      ...signal && { signal },
    }).spawn();
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    const failure = missing ? `${program} was not found in PATH` : `${program} cannot be started: ${(error as Error).message}`;
    return { stdout: "", stderr: "", failure, missing };
  }
  const fed = input && ReadableStream.from(input).pipeTo(child.stdin).catch((error) => error);
  const { success, code, ...output } = await child.output();
  signal?.throwIfAborted();
  const broken = await fed;
  // A program that ends before it has read everything says why itself.
  if (broken !== undefined && !(broken instanceof Deno.errors.BrokenPipe)) throw broken;
  const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes)) as [string, string];
  const said = (stderr.trim() || stdout.trim() || "nothing was printed").replace(/\s+/g, " ").slice(0, MAX_SAID);
  return { stdout, stderr, failure: success ? undefined : `${name} failed with exit code ${code}: ${said}`, missing: false };
}
