/**
 * Connects programs on a developer's machine with a Kubernetes cluster through the API server.
 * Only this file accesses the process: arguments, streams, signals and the exit code.
 *
 * @module
 */
import { hostname, userInfo } from "node:os";
import { argv0 } from "node:process";
import type { Context, UserSignal, UserStdio } from "./cli/command/context.ts";
import { describeError } from "./cli/describe_error.ts";
import { InterruptedError } from "./cli/command/errors.ts";
import { programName, runProgram } from "./cli/program.ts";
import { terminalText } from "./cli/command/terminal_text.ts";

function processContext(): Context {
  return {
    args: Deno.args,
    program: programName(argv0),
    env: (name) => Deno.env.get(name),
    home: Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE"),
    who: userName(),
    from: hostname(),
    data: writeData,
    stdout: (text) => writeData(terminalText(text)),
    stderr: (text) => writeMessage(terminalText(text)),
    describe: describeError,
    terminal: Deno.stderr.isTerminal() ? { columns: terminalColumns, write: writeMessage } : undefined,
    stdio: userStdio,
    interrupted: interrupted(),
    leave: (sentence) => void (leftBehind = sentence),
    now: () => performance.now(),
    date: () => new Date(),
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
  };
}

/** The user's name. A container may run as a uid without a name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return Deno.env.get("USER") ?? Deno.env.get("LOGNAME") ?? `uid ${Deno.uid() ?? "unknown"}`;
  }
}

function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80;
  }
}

/** Why a command's data did not reach standard output. A reader that is gone, as in `| head`, is not an error. */
let dataLost: string | undefined;
let reopenedStdout: Deno.FsFile | undefined;

/** Writes data to standard output, and remembers a failure. */
export function writeData(text: string): void {
  try {
    const bytes = new TextEncoder().encode(text);
    const stdout = blockingStdout();
    for (let at = 0; at < bytes.length;) at += stdout.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) dataLost ??= (error as Error).message;
  }
}

/** Writes a message. If stderr does not accept it, it is dropped: that cannot be reported, and must not end a session. */
function writeMessage(text: string): void {
  const bytes = new TextEncoder().encode(text);
  let patience = 100;
  for (let at = 0; at < bytes.length;) {
    try {
      at += Deno.stderr.writeSync(bytes.subarray(at));
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock) || patience-- === 0) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

/**
 * Standard output in blocking mode. Any process that shares a pipe or terminal can make it non-blocking for all. A write to Deno.stdout
 * then fails after some of the bytes without saying how many, because it is line-buffered. A reopened file blocks.
 */
function blockingStdout(): Pick<Deno.FsFile, "write" | "writeSync"> {
  if (reopenedStdout || Deno.build.os !== "linux") return reopenedStdout ?? Deno.stdout;
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(Deno.readTextFileSync("/proc/self/fdinfo/1"))?.[1] ?? "0";
    if (parseInt(flags, 8) & O_NONBLOCK) return reopenedStdout = Deno.openSync("/proc/self/fd/1", { append: true });
  } catch {
    // A socket cannot be reopened.
  }
  return Deno.stdout;
}

/** open(2), on x86-64 and arm64. */
const O_NONBLOCK = 0o4000;

/** The exit code: a command whose data was lost has failed. */
function finalExitCode(exitCode: number): number {
  if (dataLost === undefined) return exitCode;
  writeMessage(`error: standard output could not be written: ${dataLost}\n`);
  return exitCode || 1;
}

/** What remains in the cluster after a second interrupt. */
let leftBehind: string | undefined;
/** Receives signals instead of the command's interruption. */
let signalTaker: ((signal: UserSignal) => void) | undefined;

const userStdio: UserStdio = {
  readable: isReadable(),
  stdinIsTerminal: Deno.stdin.isTerminal(),
  stdoutIsTerminal: Deno.stdout.isTerminal(),
  read: async () => {
    const buffer = new Uint8Array(64 * 1024);
    const size = await Deno.stdin.read(buffer);
    return size === null ? null : buffer.subarray(0, size);
  },
  write: async (output, bytes) => {
    const stream = output === "stdout" ? blockingStdout() : Deno.stderr;
    for (let at = 0; at < bytes.length;) {
      try {
        at += await stream.write(bytes.subarray(at));
      } catch (error) {
        if (output === "stdout" || !(error instanceof Deno.errors.WouldBlock)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  },
  setRaw: (raw) => Deno.stdin.setRaw(raw),
  size: () => Deno.consoleSize(),
  onResize: (listener) => onSignal("SIGWINCH", listener),
  takeSignals: (taker) => {
    signalTaker = taker;
    // Without a listener, SIGQUIT ends the process.
    const ignore = onSignal("SIGQUIT", () => taker("SIGQUIT"));
    return () => {
      signalTaker = undefined;
      ignore();
    };
  },
};

/** Listens for a signal, except on Windows, which has only SIGINT: listening for SIGTERM throws there before Deno 2.7.6. */
function onSignal(signal: Deno.Signal, listener: () => void): () => void {
  if (Deno.build.os === "windows") return () => {};
  Deno.addSignalListener(signal, listener);
  return () => Deno.removeSignalListener(signal, listener);
}

/** A terminal stops background jobs that read from it, so they do not read (proc_pid_stat(5): pgrp and tpgid). */
function isReadable(): boolean {
  if (!Deno.stdin.isTerminal() || Deno.build.os !== "linux") return true;
  try {
    const [, , group, , , foreground] = Deno.readTextFileSync("/proc/self/stat").replace(/^.*\) /s, "").split(" ");
    return group === foreground;
  } catch {
    return true;
  }
}

/** Ctrl+C interrupts the command; a second one ends the process without waiting for the cleanup. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  const stop = (signal: UserSignal, exitCode: number) => () => {
    if (signalTaker) return signalTaker(signal);
    if (controller.signal.aborted) {
      if (leftBehind !== undefined) writeMessage(terminalText(`${leftBehind}\n`));
      Deno.exit(exitCode);
    }
    controller.abort(new InterruptedError(exitCode));
  };
  Deno.addSignalListener("SIGINT", stop("SIGINT", 130));
  onSignal("SIGTERM", stop("SIGTERM", 143));
  // The terminal was closed, or the connection to it was lost.
  onSignal("SIGHUP", stop("SIGHUP", 129));
  return controller.signal;
}

if (import.meta.main) Deno.exit(finalExitCode(await runProgram(processContext())));
