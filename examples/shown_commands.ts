/** Commands that an example runs, each shown with its output. */
import { type Cluster, ClusterError, ClusterUnavailableError } from "../tests/cluster/cluster.ts";

/** The checkout, where the commands run. */
export const ROOT = new URL("../", import.meta.url).pathname;

/** A command that goes on while others run. */
export interface Background extends AsyncDisposable {
  /** Waits until its output has a text. @throws ClusterError if it ends first */
  says(word: string): Promise<void>;
  /** Presses Ctrl+C. @returns once it has ended */
  interrupt(): Promise<void>;
}

/** Starts a command and shows its output as it comes. */
export function background(argv: [string, ...string[]], env: Record<string, string> = {}): Background {
  say(shown(argv));
  const [program, ...args] = argv;
  const child = new Deno.Command(program, { args, cwd: ROOT, env, stdin: "null", stdout: "piped", stderr: "inherit" }).spawn();
  let said = "";
  const copied = (async () => {
    for await (const bytes of child.stdout) {
      Deno.stdout.writeSync(bytes);
      said += new TextDecoder().decode(bytes);
    }
  })();
  let ended = false;
  const status = child.status.then(() => ended = true);
  const interrupt = async () => {
    if (!ended) child.kill("SIGINT");
    await Promise.all([status, copied]);
  };
  return {
    says: async (word) => {
      while (!said.includes(word)) {
        if (ended) throw new ClusterError(`${argv.join(" ")} ended`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    interrupt,
    [Symbol.asyncDispose]: interrupt,
  };
}

/** Runs a command to its end. @throws ClusterError if it fails */
export async function run(argv: [string, ...string[]], { cluster, input }: { cluster?: Cluster; input?: string } = {}): Promise<void> {
  say(shown(argv));
  if (input !== undefined) say(input.replaceAll(/^/gm, "  | ").replace(/caBundle: .{20}.*/, "caBundle: (the CA's certificate)"));
  const options = { cwd: ROOT, stdin: input === undefined ? "null" : "piped", stdout: "inherit", stderr: "inherit" } as const;
  const [program, ...args] = argv;
  const child = (cluster ? cluster.exec(argv, options) : new Deno.Command(program, { ...options, args })).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  const { code } = await child.status;
  if (code !== 0) throw new ClusterError(`${argv.join(" ")} ended with exit code ${code}`);
}

/** Runs a command without showing its output unless it fails. The result may be awaited later. */
export function quietly([program, ...args]: readonly [string, ...string[]]): Promise<void> {
  const ended = new Deno.Command(program, { args, cwd: ROOT, stdin: "null" }).output();
  const result = ended.then(({ success, stdout, stderr }) => {
    if (!success) {
      throw new ClusterError(
        `${program} ${args.join(" ")} failed: ${[stdout, stderr].map((text) => new TextDecoder().decode(text)).join("")}`,
      );
    }
  });
  result.catch(() => {});
  return result;
}

/** The command as it is typed. */
export function shown(argv: readonly string[]): string {
  return `$ ${argv.join(" ").replaceAll(Deno.execPath(), "deno")}`;
}

/** Prints a headline. */
export function step(text: string): void {
  say(`\n== ${text}`);
}

/** Prints a line. */
export function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

/** Runs an example to its end, and says in one line why the cluster could not be used or a command failed. */
export async function runExample(example: () => Promise<void>): Promise<void> {
  try {
    await example();
  } catch (error) {
    if (!(error instanceof ClusterUnavailableError || error instanceof ClusterError)) throw error;
    say(`The example failed: ${error.message}`);
    Deno.exit(1);
  }
}
