import { V8_FLAGS } from "../compile.ts";

/** The command that runs kurun: from source with this Deno, or the JSON list in KURUN_COMMAND (a compiled kurun, another Deno). */
export function kurunCommand(): string[] {
  const given = Deno.env.get("KURUN_COMMAND");
  return given ? JSON.parse(given) : [Deno.execPath(), "run", "-A", V8_FLAGS, new URL("../../main.ts", import.meta.url).pathname];
}

/** A running kurun without a terminal, whose output is collected. */
export class KurunProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  /** Its exit code. */
  readonly exit: Promise<number>;
  stdout = "";
  stderr = "";
  #changed = Promise.withResolvers<void>();

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.exit = Promise.all([
      child.status,
      this.#gather(child.stdout, (text) => this.stdout += text),
      this.#gather(child.stderr, (text) => this.stderr += text),
    ]).then(([status]) => {
      this.#changed.resolve();
      return status.code;
    });
  }

  /** Its standard error without the line about losing the connection, which every start prints. */
  get remarks(): string {
    return this.stderr.replace(/^If kurun loses its connection, .*\n/m, "");
  }

  /** Starts kurun with these arguments. @param command how it is started, if not as in the other tests */
  static start(
    args: string[],
    env: Record<string, string> = {},
    command: { argv: string[]; cwd?: string } = { argv: kurunCommand() },
  ): KurunProcess {
    const { argv: [program, ...before], ...where } = command;
    const options: Deno.CommandOptions = { ...where, args: [...before, ...args], env, stdin: "null", stdout: "piped", stderr: "piped" };
    return new KurunProcess(new Deno.Command(program as string, options).spawn());
  }

  /** Starts kurun as if on another machine, with its own host name. Needs root. */
  static startOn(machine: string, args: string[]): KurunProcess {
    const rename = 'echo "$0" > /proc/sys/kernel/hostname && exec "$@"';
    const options: Deno.CommandOptions = {
      args: ["--uts", "sh", "-c", rename, machine, ...kurunCommand(), ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    };
    return new KurunProcess(new Deno.Command("unshare", options).spawn());
  }

  /** Runs kurun to its end. */
  static async run(args: string[], env: Record<string, string> = {}): Promise<{ code: number; stdout: string; stderr: string }> {
    const kurun = KurunProcess.start(args, env);
    const code = await kurun.exit;
    return { code, stdout: kurun.stdout, stderr: kurun.stderr };
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Waits until its output matches. @throws with all of its output if it ends first, or after `ms` */
  async waitFor(pattern: RegExp, ms = 60_000): Promise<RegExpExecArray> {
    const until = performance.now() + ms;
    let ended = false;
    this.exit.then(() => ended = true);
    for (;;) {
      const found = pattern.exec(this.stdout + this.stderr);
      if (found) return found;
      if (ended || performance.now() > until) {
        throw new Error(`kurun ${ended ? "ended" : "did not"} before ${pattern}:\n${this.stdout}${this.stderr}`);
      }
      await Promise.race([this.#changed.promise, new Promise((resolve) => setTimeout(resolve, 100))]);
    }
  }

  /** Waits until it forwards: for the line on stdout, and for the last one of a start on stderr, so that those before it have arrived too. */
  async ready(): Promise<this> {
    await this.waitFor(/^Forwarding /m);
    await this.waitFor(/^If kurun loses its connection, .*\n/m);
    return this;
  }

  /** Its exit code. @throws with all of its output if it still runs after 30 s */
  async ended(): Promise<number> {
    let late: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<never>((_, reject) => {
      late = setTimeout(() => reject(new Error(`kurun still ran after 30 s:\n${this.stdout}${this.stderr}`)), 30_000);
    });
    return await Promise.race([this.exit, patience]).finally(() => clearTimeout(late));
  }

  /** Waits until `kurun webhook` answers: for the last line of a start. */
  async answering(): Promise<this> {
    await this.waitFor(/^If kurun loses its connection, .*\n/m);
    return this;
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end("SIGINT");
    const late = setTimeout(() => this.#end("SIGKILL"), 10_000);
    await this.exit;
    clearTimeout(late);
  }

  #end(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has already ended. What it started may still hold its output open.
    }
  }

  async #gather(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      add(text);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
  }
}

/** The peak memory of a process, in bytes (VmHWM). */
export async function peakMemory(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** Finds the process whose command line contains both words, other than the tini that started it in Deno's images. @throws if there is none */
export async function findProcess(...words: string[]): Promise<number> {
  const [found] = await findProcesses(...words);
  if (found === undefined) throw new Error(`no process has ${words.join(" and ")} in its command line`);
  return found;
}

/** Like {@link findProcess}, but all of them, or none. */
export async function findProcesses(...words: string[]): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
    const line = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    if (!line.startsWith("/tini") && words.every((word) => line.includes(word))) found.push(Number(name));
  }
  return found;
}
