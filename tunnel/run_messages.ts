/**
 * The messages of client and supervisor of `kurun run` on the control stream.
 *
 * A client numbers its messages from 1 on, over all its connections: what it sent into a lost connection it sends again on the next, and
 * the supervisor drops what it has already received. The supervisor reports states, and repeats them on each new stream.
 *
 * @module
 */
import { ProtocolError } from "./errors.ts";

/** A window's size, in characters. */
export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
}

/** A request to run a program, which gets these values unchanged. */
export interface RunRequest {
  readonly do: "start";
  /** The run's number in the session, from 1 on: a run with a higher number replaces the previous one. */
  readonly run: number;
  readonly kind: "executable" | "script";
  /** The digest of the program, which arrives on another stream. */
  readonly sha256: string;
  /** The program's name: its argument 0. */
  readonly name: string;
  readonly args: readonly string[];
  readonly env: readonly (readonly [name: string, value: string])[];
  /** The folder that it starts in. */
  readonly workdir: string;
  /** Whether the client sends it an input; otherwise it reads an empty one. */
  readonly stdin: boolean;
  /** For a script: the unstable Deno features that it needs, such as `kv` for `--unstable-kv`. */
  readonly unstable?: readonly string[];
  /** The size of its terminal, where it gets one. */
  readonly terminal?: WindowSize;
}

/** What a client may request. */
export type ClientRequest =
  | RunRequest
  | { readonly do: "signal"; readonly run: number; readonly signal: string }
  /** Nobody reads the output any more: the program's next write should fail. */
  | { readonly do: "close"; readonly run: number; readonly output: "stdout" | "stderr" }
  | ({ readonly do: "resize"; readonly run: number } & WindowSize);

/** A request, with its number. */
export type ClientMessage = ClientRequest & { readonly seq: number };

/** How a run ended. */
export interface RunEnd {
  readonly code: number;
  /** The signal that ended it, such as SIGKILL; `code` is then 128 plus its number. */
  readonly signal?: string;
  /** Whether the kernel killed a process for lack of memory while it ran. */
  readonly outOfMemory?: true;
  /** Whether the Pod was being stopped, and the program with it; the cluster knows why. */
  readonly podStopped?: true;
}

/** What the supervisor reports. */
export type SupervisorMessage =
  /** The first on each stream: the architecture of this machine (Go's name), and the number of the last request received. */
  | { readonly is: "ready"; readonly architecture: string; readonly seq: number }
  | { readonly is: "started"; readonly run: number }
  | ({ readonly is: "ended"; readonly run: number } & RunEnd)
  /** The run never started; `why` is for people. */
  | { readonly is: "failed"; readonly run: number; readonly why: string };

/** Checks a message of a client. @throws ProtocolError */
export function parseClientMessage(value: unknown): ClientMessage {
  const message = (value ?? {}) as Record<string, unknown>;
  if (!isCount(message.seq) || !isCount(message.run)) throw new ProtocolError("A request has no number");
  const right = message.do === "start"
    ? isRun(message)
    : message.do === "signal"
    ? typeof message.signal === "string"
    : message.do === "close"
    ? message.output === "stdout" || message.output === "stderr"
    : message.do === "resize" && isWindow(message);
  if (!right) throw new ProtocolError("A request is malformed");
  return value as ClientMessage;
}

/** Checks a message of the supervisor. @throws ProtocolError */
export function parseSupervisorMessage(value: unknown): SupervisorMessage {
  const message = (value ?? {}) as Record<string, unknown>;
  const right = message.is === "ready"
    ? typeof message.architecture === "string" && typeof message.seq === "number"
    : isCount(message.run) &&
      (message.is === "started" || (message.is === "failed" && typeof message.why === "string") ||
        (message.is === "ended" && Number.isInteger(message.code)));
  if (!right) throw new ProtocolError("A message of the supervisor is malformed");
  return value as SupervisorMessage;
}

function isRun({ kind, sha256, name, args, env, workdir, stdin, unstable, terminal }: Record<string, unknown>): boolean {
  return (kind === "executable" || kind === "script") && typeof sha256 === "string" && isText(name) && isText(workdir) &&
    Array.isArray(args) && args.every(isText) && typeof stdin === "boolean" &&
    Array.isArray(env) && env.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isText)) &&
    (unstable === undefined || Array.isArray(unstable) && unstable.every(isFeature)) &&
    (terminal === undefined || isWindow(terminal as Record<string, unknown>));
}

function isFeature(name: unknown): boolean {
  return typeof name === "string" && /^[a-z-]+$/.test(name);
}

function isWindow({ columns, rows }: Record<string, unknown>): boolean {
  return [columns, rows].every((size) => Number.isInteger(size) && (size as number) >= 0 && (size as number) <= 0xffff);
}

/** A text that can be passed to a program: C strings end at a zero. */
function isText(value: unknown): value is string {
  return typeof value === "string" && !value.includes("\0");
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
