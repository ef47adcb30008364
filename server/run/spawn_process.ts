import type { RunEnd, WindowSize } from "../../tunnel/mod.ts";
import { ChildReaper } from "./child_reaper.ts";
import { Descriptor } from "./descriptor.ts";
import { cString, cStrings, errorText, libc, Linux } from "./libc.ts";

// Not static: modules of node would cost the start of each Pod that serves callers 50 ms and more.
const { constants } = await import("node:os");

/** Room for glibc's posix_spawn_file_actions_t, posix_spawnattr_t (336 bytes) and sigset_t. */
const STRUCT_BYTES = 1024;

const SIGNALS: Readonly<Record<string, number>> = constants.signals;

/** What {@link spawnProcess} starts. */
export interface SpawnOptions {
  readonly path: string;
  /** All arguments, the program's own name first. */
  readonly argv: readonly string[];
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly workdir: string;
  /** Whether it has an input; otherwise it reads an empty one. */
  readonly stdin: boolean;
  /** Gives it a terminal of this size for its input and all its output. */
  readonly terminal?: WindowSize;
}

/** A process that leads a session, so that signals also reach what it starts. */
export interface SpawnedProcess {
  readonly pid: number;
  /** Where its input is written; undefined where it has none. */
  readonly stdin: Descriptor | undefined;
  readonly stdout: Descriptor;
  /** Undefined where it has a terminal. */
  readonly stderr: Descriptor | undefined;
  readonly ended: Promise<RunEnd>;
  /** Sends a signal to it and to everything it has started. */
  kill(signal: string): void;
  resize(window: WindowSize): void;
}

/** Reaps the processes started here and no others. */
const ownChildren = new ChildReaper(false);

/** Starts a process. @param children reaps it when it has ended @throws Error with a text for people */
export function spawnProcess(options: SpawnOptions, children: ChildReaper = ownChildren): SpawnedProcess {
  return options.terminal ? spawnInTerminal(options, options.terminal, children) : spawnWithPipes(options, children);
}

function spawnWithPipes(options: SpawnOptions, children: ChildReaper): SpawnedProcess {
  const stdin = options.stdin ? openPipe() : undefined;
  const stdout = openPipe();
  const stderr = openPipe();
  const theirs = [...(stdin ? [stdin.read] : []), stdout.write, stderr.write];
  const ours = [...(stdin ? [stdin.write] : []), stdout.read, stderr.read];
  try {
    const pid = spawn(options, (actions) => {
      const { posix_spawn_file_actions_adddup2: dup2, posix_spawn_file_actions_addopen: open } = libc();
      if (stdin) dup2(actions, stdin.read.number, 0);
      else open(actions, 0, cString("/dev/null"), Linux.O_RDONLY, 0);
      dup2(actions, stdout.write.number, 1);
      dup2(actions, stderr.write.number, 2);
    });
    return { pid, stdin: stdin?.write, stdout: stdout.read, stderr: stderr.read, resize: () => {}, ...followed(pid, children) };
  } catch (error) {
    for (const descriptor of ours) descriptor.close();
    throw error;
  } finally {
    for (const descriptor of theirs) descriptor.close();
  }
}

function spawnInTerminal(options: SpawnOptions, window: WindowSize, children: ChildReaper): SpawnedProcess {
  const { master, path } = openTerminal();
  const resize = ({ columns, rows }: WindowSize) => {
    const size = new Uint16Array([rows, columns, 0, 0]);
    libc().ioctl(master.number, BigInt(Linux.TIOCSWINSZ), new Uint8Array(size.buffer));
  };
  try {
    resize(window);
    // The first terminal that a session leader opens becomes its controlling terminal.
    const pid = spawn(options, (actions) => {
      libc().posix_spawn_file_actions_addopen(actions, 0, path, Linux.O_RDWR, 0);
      libc().posix_spawn_file_actions_adddup2(actions, 0, 1);
      libc().posix_spawn_file_actions_adddup2(actions, 0, 2);
    });
    return { pid, stdin: options.stdin ? master : undefined, stdout: master, stderr: undefined, resize, ...followed(pid, children) };
  } catch (error) {
    master.close();
    throw error;
  }
}

function spawn({ path, argv, env, workdir }: SpawnOptions, wire: (actions: Uint8Array<ArrayBuffer>) => void): number {
  const c = libc();
  const struct = () => new Uint8Array(STRUCT_BYTES);
  const [actions, attributes, all, none] = [struct(), struct(), struct(), struct()];
  c.posix_spawn_file_actions_init(actions);
  c.posix_spawnattr_init(attributes);
  try {
    wire(actions);
    c.posix_spawn_file_actions_addchdir_np(actions, cString(workdir));
    // Deno ignores SIGPIPE, and a program would inherit that.
    c.sigfillset(all);
    c.sigemptyset(none);
    c.posix_spawnattr_setsigdefault(attributes, all);
    c.posix_spawnattr_setsigmask(attributes, none);
    c.posix_spawnattr_setflags(attributes, Linux.POSIX_SPAWN_SETSID | Linux.POSIX_SPAWN_SETSIGDEF | Linux.POSIX_SPAWN_SETSIGMASK);
    const pid = new Int32Array(1);
    const args = cStrings(argv);
    const environment = cStrings(env.map(([name, value]) => `${name}=${value}`));
    const failed = c.posix_spawn(new Uint8Array(pid.buffer), cString(path), actions, attributes, args.list, environment.list);
    if (failed !== 0) throw new Error(whyNot(failed, { path, workdir, size: args.texts.length + environment.texts.length }));
    return pid[0] as number;
  } finally {
    c.posix_spawn_file_actions_destroy(actions);
    c.posix_spawnattr_destroy(attributes);
  }
}

function whyNot(error: number, { path, workdir, size }: { path: string; workdir: string; size: number }): string {
  const said = errorText(error);
  if (isMissing(workdir)) return `there is no folder ${workdir} in the Pod`;
  return error === 7 ? `${size} arguments and environment variables are too many: ${said}` : `cannot start ${path}: ${said}`;
}

function isMissing(folder: string): boolean {
  try {
    return !Deno.statSync(folder).isDirectory;
  } catch {
    return true;
  }
}

function followed(pid: number, children: ChildReaper): Pick<SpawnedProcess, "ended" | "kill"> {
  let gone = false;
  const ended = children.status(pid).then((status) => {
    gone = true;
    return processEnd(status);
  });
  return {
    ended,
    // The group outlives its leader where the leader has left children.
    kill: (signal) => {
      const number = SIGNALS[signal];
      if (number === undefined) return;
      if (libc().kill(-pid, number) !== 0 && !gone) libc().kill(pid, number);
    },
  };
}

function processEnd(status: number): RunEnd {
  const number = status & 0x7f;
  if (number === 0) return { code: (status >> 8) & 0xff };
  return { code: 128 + number, signal: Object.keys(SIGNALS).find((name) => SIGNALS[name] === number) ?? `signal ${number}` };
}

function openPipe(): { read: Descriptor; write: Descriptor } {
  const ends = new Int32Array(2);
  if (libc().pipe2(new Uint8Array(ends.buffer), Linux.O_CLOEXEC) !== 0) throw new Error("cannot open a pipe");
  return { read: new Descriptor(ends[0] as number), write: new Descriptor(ends[1] as number) };
}

function openTerminal(): { master: Descriptor; path: Uint8Array<ArrayBuffer> } {
  const c = libc();
  const number = c.posix_openpt(Linux.O_RDWR | Linux.O_NOCTTY | Linux.O_CLOEXEC);
  if (number < 0) throw new Error("the Pod has no terminals (/dev/ptmx)");
  const path = new Uint8Array(256);
  if (c.grantpt(number) !== 0 || c.unlockpt(number) !== 0 || c.ptsname_r(number, path, BigInt(path.length)) !== 0) {
    c.close(number);
    throw new Error("cannot open a terminal");
  }
  return { master: new Descriptor(number), path };
}
