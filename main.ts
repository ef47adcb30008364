/**
 * kurun brings what runs on a developer's machine into a Kubernetes cluster, over nothing but the API server.
 * This file is the only one that touches the process: arguments, streams, signals and the exit code.
 *
 * @module
 */
import { hostname, userInfo } from "node:os";
import { argv0 } from "node:process";
import type { Context } from "./cli/context.ts";
import { runProgram } from "./cli/program.ts";
import { programName } from "./cli/program_name.ts";

if (import.meta.main) Deno.exit(await runProgram(processContext()));

function processContext(): Context {
  return {
    args: Deno.args,
    program: programName(argv0),
    env: (name) => Deno.env.get(name),
    home: Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE"),
    who: userName(),
    from: hostname(),
    stdout: (text) => writeAll(Deno.stdout, text),
    stderr: (text) => writeAll(Deno.stderr, text),
    terminal: Deno.stderr.isTerminal() ? { columns: terminalColumns } : undefined,
    interactive: Deno.stdin.isTerminal(),
    interrupted: interrupted(),
    now: () => performance.now(),
    date: () => new Date(),
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
  };
}

/** The user's name; a container may run as a number that no name belongs to. */
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

/** A whole write; what is left of it is dropped where the reader has gone, or takes nothing for a second: that must not end a session. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  let patience = 100;
  for (let at = 0; at < bytes.length;) {
    try {
      at += stream.writeSync(bytes.subarray(at));
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock) || patience-- === 0) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

/** Ctrl+C asks a command to end; a second one ends the process without waiting for its clean-up. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  const stop = (exitCode: number) => () => {
    if (controller.signal.aborted) Deno.exit(exitCode);
    controller.abort(new Error("interrupted"));
  };
  Deno.addSignalListener("SIGINT", stop(130));
  // Windows has no SIGTERM before Deno 2.7.6: there listening for it throws.
  if (Deno.build.os !== "windows") {
    Deno.addSignalListener("SIGTERM", stop(143));
    // A terminal that is closed, or a connection to it that is lost.
    Deno.addSignalListener("SIGHUP", stop(129));
  }
  return controller.signal;
}
