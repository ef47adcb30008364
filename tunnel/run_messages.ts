/**
 * What client and supervisor of `kurun run` tell each other on a stream for control.
 *
 * A client's messages are numbered, from 1 on, over all its connections: what was sent into a connection that is lost is sent again on the
 * next, and the supervisor drops what it has had. What the supervisor says is a state, and said again on each new stream.
 *
 * @module
 */
import { ProtocolError } from "./errors.ts";

/** A window's size, in characters. */
export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
}

/** What to run; values go to the program exactly as they are here. */
export interface RunRequest {
  readonly do: "start";
  /** Numbers the runs of a session, from 1 on: a run with a higher number replaces the one before. */
  readonly run: number;
  readonly kind: "executable" | "script";
  /** The digest of the program, which comes on a stream of its own. */
  readonly sha256: string;
  /** What the program is called: the first of its arguments. */
  readonly name: string;
  readonly args: readonly string[];
  readonly env: readonly (readonly [name: string, value: string])[];
  /** The folder it starts in. */
  readonly workdir: string;
  /** Whether it reads what the client sends; else its input is empty. */
  readonly stdin: boolean;
  /** Of a script: the unstable features of Deno that it is run with, `kv` for `--unstable-kv`. */
  readonly unstable?: readonly string[];
  /** Where it gets a terminal. */
  readonly terminal?: WindowSize;
}

/** What a client may ask for. */
export type ClientRequest =
  | RunRequest
  | { readonly do: "signal"; readonly run: number; readonly signal: string }
  /** Nobody reads the output any more: the program's next write fails. */
  | { readonly do: "close"; readonly run: number; readonly output: "stdout" | "stderr" }
  | ({ readonly do: "resize"; readonly run: number } & WindowSize);

/** A request, with its number. */
export type ClientMessage = ClientRequest & { readonly seq: number };

/** How a run ended. */
export interface RunEnd {
  readonly code: number;
  /** The signal that ended it, such as SIGKILL; then `code` is 128 and its number. */
  readonly signal?: string;
  /** Whether the kernel ended something for want of memory while it ran. */
  readonly outOfMemory?: true;
  /** Whether the Pod was being stopped then, and the program with it: the cluster tells why. */
  readonly podStopped?: true;
}

/** What the supervisor tells. */
export type SupervisorMessage =
  /** First on each stream: for which architecture programs must be (Go's word), and the number of the last request that it had. */
  | { readonly is: "ready"; readonly architecture: string; readonly seq: number }
  | { readonly is: "started"; readonly run: number }
  | ({ readonly is: "ended"; readonly run: number } & RunEnd)
  /** It never started; `why` is for people. */
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
  if (!right) throw new ProtocolError("A request is not as it must be");
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
  if (!right) throw new ProtocolError("What the supervisor says is not as it must be");
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

/** A text that a program can be given: C's strings end at a zero. */
function isText(value: unknown): value is string {
  return typeof value === "string" && !value.includes("\0");
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
