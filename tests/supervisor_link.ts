/**
 * The parts that tests of `kurun run` put together: a supervisor with real processes, a link to it in memory, and the programs it gets.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { RunSettings, SentProgram } from "../cli/run/remote_run.ts";
import { spawnProcess } from "../server/run/spawn_process.ts";
import { Supervisor, type SupervisorOptions } from "../server/run/supervisor.ts";
import { type MemoryTransport, memoryTransportPair } from "./memory_transport.ts";
import { Session, type Stream } from "../tunnel/mod.ts";

/** A test with a supervisor. It runs only on Linux, and blocking calls of the C library end only with what they wait for. */
export function supervisorTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os !== "linux", sanitizeOps: false, sanitizeResources: false, fn });
}

/** A supervisor that starts processes on this machine. @param folder for its programs */
export function testSupervisor(folder: string, dial: SupervisorOptions["dial"]): Supervisor {
  return new Supervisor({
    folder,
    architecture: "amd64",
    scriptCommand: (script, flags) => [Deno.execPath(), "run", "--allow-all", "--ext=js", ...flags, script],
    env: { PATH: Deno.env.get("PATH") ?? "", DENO_DIR: folder },
    spawn: spawnProcess,
    dial,
    outOfMemory: () => 0,
    log: () => {},
  });
}

/** A connection to a supervisor. */
export interface SupervisorLink {
  /** The client's session. */
  readonly session: Session;
  /** The supervisor's session, and its end of the transport. */
  readonly server: Session;
  readonly there: MemoryTransport;
  /** Breaks the connection for both. */
  cut(): void;
}

/** Connects to a supervisor. */
export function linkTo(supervisor: Supervisor): SupervisorLink {
  const [here, there] = memoryTransportPair();
  const now = () => performance.now();
  const server = new Session(there, { role: "server", now, onStream: (stream) => supervisor.accept(stream) });
  const session = new Session(here, { role: "client", now });
  const cut = () => {
    session.destroy(new Error("cut"));
    server.destroy(new Error("cut"));
  };
  return { session, server, there, cut };
}

/** What a client sends: these bytes, in pieces of at most 1,000. */
export function sent(bytes: Uint8Array): SentProgram {
  return {
    sha256: createHash("sha256").update(bytes).digest("hex"),
    size: bytes.length,
    read: (offset) => Promise.resolve(offset >= bytes.length ? null : bytes.subarray(offset, offset + 1000)),
    taken: () => {},
  };
}

/** A program that is a script for bash. */
export function bash(script: string): SentProgram {
  return sent(new TextEncoder().encode(`#!/bin/bash\n${script}\n`));
}

/** How such a program is started in a folder. */
export function executable(workdir: string): RunSettings {
  return { kind: "executable", name: "try", args: [], env: [], workdir };
}

/** Reads and drops what arrives until the stream ends or breaks. Never rejects. */
export async function drain(stream: Stream): Promise<void> {
  try {
    while (await stream.read() !== null);
  } catch {
    // The link was cut.
  }
}
