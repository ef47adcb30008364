/**
 * The command after `--`: the user's program, which kurun starts and ends.
 *
 * @module
 */
import { delimiter, join } from "node:path";
import process from "node:process";
import { ExitCode, usageError, UserError } from "../command/errors.ts";
import { pause } from "../command/timers.ts";

/** A command that runs. */
export interface RunningCommand {
  /** Its exit code, or 128 and the signal's number; never rejects. */
  readonly ended: Promise<number>;
  /** Interrupts it, and kills what does not end. Never rejects. */
  stop(): Promise<void>;
}

/** Options of {@linkcode startCommand}. */
export interface CommandOptions {
  /** Prints a line. */
  readonly say: (line: string) => void;
  /** How long each signal may take, in milliseconds. @default {10_000} */
  readonly patienceMs?: number;
}

/** How long a command may take to end on SIGINT, as managers of controller-runtime do, and then on SIGTERM. */
const PATIENCE_MS = 10_000;
/** The user learns what kurun waits for after this. */
const QUIET_MS = 1_000;
/** How long what the command left running may take after SIGTERM. */
const REST_MS = 2_000;
const POLL_MS = 50;
const IS_WINDOWS = Deno.build.os === "windows";

/**
 * Checks that a command can be started, before anything depends on it.
 * @param env an environment variable
 * @throws UserError
 */
export async function checkCommand([name = "", ...args]: readonly string[], env: (name: string) => string | undefined): Promise<void> {
  const isPath = name.includes("/") || IS_WINDOWS && name.includes("\\");
  const folders = isPath ? [""] : (env("PATH") ?? "").split(delimiter);
  const ends = IS_WINDOWS ? ["", ...(env("PATHEXT") ?? ".EXE;.CMD;.BAT").split(";")] : [""];
  let seen = isPath ? "does not exist" : "was not found in PATH";
  for (const path of folders.flatMap((folder) => ends.map((end) => join(folder, name) + end))) {
    const found = await Deno.stat(path).catch(() => undefined);
    if (found?.isFile && (IS_WINDOWS || (found.mode ?? 0) & 0o111)) return;
    if (found?.isFile) seen = `is not executable: chmod +x ${path}`;
    if (found?.isDirectory && isPath) seen = `is a folder. Did you mean: -- go run ${name}`;
  }
  const quoted = args.length === 0 && name.includes(" ") ? `. Leave out the quotes: -- ${name}` : "";
  throw usageError(`the command after -- cannot be started: ${name} ${seen}${quoted}`);
}

/**
 * Starts a command with kurun's environment, without kurun's own variables, and with kurun's standard streams, except for a terminal's input.
 *
 * It is in a process group and session of its own (setsid). So Ctrl+C in a terminal reaches kurun alone, which ends the command when the
 * cluster no longer needs it. It gets no input from a terminal, because that is not its controlling one: a headless dlv that sees a terminal
 * tries to put its program into the foreground and fails ("inappropriate ioctl for device"). Windows has no such groups: Ctrl+C reaches both.
 * @throws UserError if it cannot be started
 */
export function startCommand(
  [name = "", ...args]: readonly string[],
  { say, patienceMs = PATIENCE_MS }: CommandOptions,
): RunningCommand {
  const env = Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([variable]) => !variable.startsWith("KURUN_")));
  const stdin = Deno.stdin.isTerminal() ? "null" : "inherit";
  const child = spawn(name, { args, env, clearEnv: true, stdin, detached: !IS_WINDOWS });
  const over = new AbortController();
  // A second Ctrl+C ends kurun without waiting.
  const kill = () => void signalGroup(child, "SIGKILL");
  globalThis.addEventListener("unload", kill);
  const ended = child.status.then(({ code }) => {
    over.abort();
    return code;
  });
  return {
    ended,
    async stop() {
      const { signal } = over;
      pause(QUIET_MS, signal).then(() => {
        if (!signal.aborted) say(`Waiting until ${name} ends. Ctrl+C ends it at once`);
      }).catch(() => {});
      for (const ask of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
        if (signal.aborted) break;
        signalGroup(child, ask);
        await pause(patienceMs, signal);
      }
      await endRest(child);
      globalThis.removeEventListener("unload", kill);
    },
  };
}

function spawn(name: string, options: Deno.CommandOptions): Deno.ChildProcess {
  try {
    return new Deno.Command(name, options).spawn();
  } catch (cause) {
    throw new UserError(`the command after -- cannot be started: ${name}: ${(cause as Error).message}`, ExitCode.failed, { cause });
  }
}

/** Ends what a command that has ended left in its group. */
async function endRest(child: Deno.ChildProcess): Promise<void> {
  if (IS_WINDOWS || !signalGroup(child, "SIGTERM")) return;
  for (let waited = 0; waited < REST_MS && signalGroup(child, 0); waited += POLL_MS) await new Promise((go) => setTimeout(go, POLL_MS));
  signalGroup(child, "SIGKILL");
}

/** Signals a command and its children. @param signal 0 only looks for them @returns whether there are any */
function signalGroup({ pid }: Deno.ChildProcess, signal: Deno.Signal | 0): boolean {
  try {
    // Windows has no signals that a program could take as a request, and ends only single processes by itself.
    if (!IS_WINDOWS) return process.kill(-pid, signal);
    return new Deno.Command("taskkill", { args: ["/pid", String(pid), "/t", "/f"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
