import assert from "node:assert/strict";
import { UserError } from "../command/errors.ts";
import { checkCommand } from "./program_command.ts";

/** Terminals are made by util-linux's script, and processes are looked up in /proc. */
const linux = { ignore: Deno.build.os !== "linux" };

const MODULE = new URL("./program_command.ts", import.meta.url).href;

/** Stands for kurun: starts a command, ends it at the first Ctrl+C after a while, and itself at the second. */
const KURUN = `
  import { startCommand } from ${JSON.stringify(MODULE)};
  const interrupted = Promise.withResolvers();
  let times = 0;
  Deno.addSignalListener("SIGINT", () => {
    if (++times === 2) Deno.exit(130);
    console.log("kurun was interrupted");
    setTimeout(interrupted.resolve, 300);
  });
  const command = startCommand(Deno.args, { say: (line) => console.log("said: " + line), patienceMs: 700 });
  const first = await Promise.race([command.ended.then(() => "the command ended"), interrupted.promise]);
  console.log(first ?? "kurun ends the command");
  await command.stop();
  const code = await command.ended;
  console.log("exit code " + code);
  Deno.exit(code);`;

/** A kurun that runs a command, perhaps in a terminal of its own. */
class Kurun implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #file: string;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #output = "";
  #done: Promise<void>;

  private constructor(command: readonly string[], file: string) {
    this.#file = file;
    const [program, ...args] = command;
    const env = { KURUN_REPO: "registry.example", PASSED_ON: "yes" };
    this.#child = new Deno.Command(program!, { args, env, stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#done = this.#read();
  }

  static async start(command: readonly string[], where: "pipe" | "terminal" = "pipe"): Promise<Kurun> {
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    await Deno.writeTextFile(file, KURUN);
    const words = [Deno.execPath(), "run", "-A", "-q", "--no-check", file, ...command];
    if (where === "pipe") return new Kurun(words, file);
    const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    // Without exec a shell (dash) may stay between script and kurun; Ctrl+C interrupts it as well, and its exit code is then 130.
    return new Kurun(["script", "-qfec", `exec ${quoted}`, "/dev/null"], file);
  }

  get pid(): number {
    return this.#child.pid;
  }

  async type(keys: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(keys));
  }

  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  async waitFor(pattern: RegExp): Promise<RegExpExecArray> {
    for (const until = performance.now() + 30_000; performance.now() < until;) {
      const found = pattern.exec(this.#output);
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`no ${pattern} in:\n${this.#output}`);
  }

  async ended(): Promise<{ code: number; output: string }> {
    await this.#done;
    return { code: (await this.#child.status).code, output: this.#output.replaceAll("\r", "") };
  }

  async #read(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) this.#output += text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#input.close().catch(() => {});
    await this.#done.catch(() => {});
    await this.#child.status;
    await Deno.remove(this.#file);
  }
}

/** Whether a process runs; an orphan that nobody has reaped does not. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  return stat !== "" && !/^.*\) Z/s.test(stat);
}

for (
  const [script, code, what] of [
    ["exit 0", 0, "0"],
    ["exit 3", 3, "that of the command"],
    ["kill -TERM $$", 143, "128 and the signal's number"],
  ] as const
) {
  Deno.test(`a command that ends by itself (${script}) ends kurun; the exit code is ${what}`, linux, async () => {
    await using kurun = await Kurun.start(["sh", "-c", script]);
    assert.deepEqual(await kurun.ended(), { code, output: `the command ended\nexit code ${code}\n` });
  });
}

Deno.test("a command has kurun's standard streams and environment, without kurun's own variables", linux, async () => {
  await using kurun = await Kurun.start(["sh", "-c", 'read line; echo "$line, $PASSED_ON, ${KURUN_REPO-unset}"']);
  await kurun.type("typed\n");
  assert.match((await kurun.ended()).output, /^typed, yes, unset$/m);
});

Deno.test("what a command left running is ended with it", linux, async () => {
  await using kurun = await Kurun.start(["sh", "-c", "sleep 100 & echo left $!"]);
  const [, pid] = await kurun.waitFor(/left (\d+)\n/);
  assert.equal((await kurun.ended()).code, 0);
  assert.equal(await isRunning(Number(pid)), false);
});

Deno.test(
  "Ctrl+C in a terminal reaches kurun alone, which interrupts the command later; the command takes nothing that is typed",
  linux,
  async () => {
    const script =
      'trap "echo the command was interrupted; exit 7" INT; test -t 0 || read line || echo "no input"; while :; do sleep 0.05; done';
    await using kurun = await Kurun.start(["sh", "-c", script], "terminal");
    await kurun.waitFor(/no input/);
    await kurun.type("\x03");
    const { code, output } = await kurun.ended();
    assert.match(output, /kurun was interrupted\nkurun ends the command\nthe command was interrupted\nexit code 7\n$/);
    assert.equal(code, 7);
  },
);

Deno.test("a command that ignores the interrupt is killed with all its children, and kurun says what it waits for", linux, async () => {
  await using kurun = await Kurun.start(["sh", "-c", 'trap "" INT TERM; echo child $$; sleep 100; sleep 100']);
  const [, pid] = await kurun.waitFor(/child (\d+)\n/);
  kurun.interrupt();
  const { code, output } = await kurun.ended();
  assert.match(output, /^said: Waiting until sh ends\. Ctrl\+C ends it at once$/m);
  assert.equal(code, 137);
  assert.equal(await isRunning(Number(pid)), false);
});

Deno.test("a second Ctrl+C does not wait: the command is killed at once", linux, async () => {
  await using kurun = await Kurun.start(["sh", "-c", 'trap "" INT TERM; echo child $$; while :; do sleep 0.05; done'], "terminal");
  const [, pid] = await kurun.waitFor(/child (\d+)\r?\n/);
  await kurun.type("\x03");
  await kurun.waitFor(/kurun ends the command/);
  await kurun.type("\x03");
  assert.equal((await kurun.ended()).code, 130);
  assert.equal(await isRunning(Number(pid)), false);
});

Deno.test("a command that cannot be started is refused before anything depends on it", linux, async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/tool`, "#!/bin/sh\n", { mode: 0o755 });
    await Deno.writeTextFile(`${folder}/data`, "", { mode: 0o644 });
    await Deno.mkdir(`${folder}/cmd`);
    const check = (...argv: string[]) => checkCommand(argv, (name) => name === "PATH" ? `/nowhere:${folder}` : undefined);
    await check("tool");
    await check(`${folder}/tool`, "an argument");
    for (
      const [argv, why] of [
        [["kurun-nothing"], "kurun-nothing was not found in PATH"],
        [["cmd"], "cmd was not found in PATH"],
        [["tool --flag"], "tool --flag was not found in PATH. Leave out the quotes: -- tool --flag"],
        [["data"], `data is not executable: chmod +x ${folder}/data`],
        [[`${folder}/cmd`], `${folder}/cmd is a folder. Did you mean: -- go run ${folder}/cmd`],
        [[`${folder}/other`], `${folder}/other does not exist`],
      ] as const
    ) {
      await assert.rejects(check(...argv), new UserError(`the command after -- cannot be started: ${why}`, 2));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
