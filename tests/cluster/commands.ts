/** The result of a command. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  /** The last lines of both outputs, for a message. */
  readonly said: string;
}

const SAID_LINES = 20;

/** Runs a command to its end, without input. */
export async function runCommand(
  argv: readonly [string, ...string[]],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<CommandResult> {
  const [program, ...args] = argv;
  const output = await new Deno.Command(program, { args, ...options, stdin: "null", stdout: "piped", stderr: "piped" }).output();
  const decoder = new TextDecoder();
  const stdout = decoder.decode(output.stdout);
  const said = `${stdout}${decoder.decode(output.stderr)}`.trim().split("\n").slice(-SAID_LINES).join("\n");
  return { code: output.code, stdout, said };
}

/** Finds a program in `$PATH`, and in directories that a user's PATH may lack. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"]) {
    if (directory && await isFile(`${directory}/${name}`)) return `${directory}/${name}`;
  }
  return undefined;
}

/** Whether a path is a file or a link to one. */
export async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
