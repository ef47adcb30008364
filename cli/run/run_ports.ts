import { type Connection, type NativeConnection, relay } from "../../tunnel/mod.ts";
import { ExitCode, usageError, UserError } from "../command/errors.ts";
import { parsePort } from "../command/flag_values.ts";
import { pause } from "../command/timers.ts";
import { TcpConnection } from "../local/tcp_connection.ts";
import type { SupervisorClient } from "./supervisor_client.ts";

/** A program that has just started may not listen yet: a connection is retried for this long. */
const LISTENS_WITHIN_MS = 2_000;
const RETRY_MS = 100;

/** A port of the program and the port of this machine's localhost that is forwarded to it. */
export interface PortPair {
  readonly local: number;
  readonly remote: number;
}

/** Reads `LOCAL:REMOTE`, or one number for both. @throws UserError */
export function parsePortPair(text: string): PortPair {
  const [local = "", remote = local, ...more] = text.split(":");
  if (more.length > 0) throw usageError(`-p ${text}: write LOCAL:REMOTE, or one port for both`);
  return { local: parsePort("-p", local), remote: parsePort("-p", remote) };
}

/** Forwards ports of this machine's localhost to the program until aborted. @throws UserError if one is taken */
export function forwardPorts(
  pairs: readonly PortPair[],
  client: Pick<SupervisorClient, "openPort">,
  say: (line: string) => void,
  signal: AbortSignal,
): void {
  const listeners: { readonly listener: Deno.TcpListener; readonly remote: number }[] = [];
  const close = () => {
    for (const { listener } of listeners.splice(0)) listener.close();
  };
  signal.addEventListener("abort", close, { once: true });
  for (const { local, remote } of pairs) {
    for (const hostname of ["127.0.0.1", "::1"]) {
      try {
        listeners.push({ listener: Deno.listen({ hostname, port: local }), remote });
      } catch (cause) {
        // A machine may have no IPv6. But if another program has the port on ::1, localhost leads there.
        if (hostname === "::1" && !(cause instanceof Deno.errors.AddrInUse)) continue;
        close();
        const where = `-p: cannot listen on port ${local} of this machine`;
        throw new UserError(`${where} (${hostname}): ${(cause as Error).message}`, ExitCode.neverStarted, { cause });
      }
    }
  }
  for (const { listener, remote } of listeners) {
    void (async () => {
      for await (const socket of listener) void forward(new TcpConnection(socket), () => client.openPort(remote, signal), say, signal);
    })().catch(() => {}); // The listener was closed.
  }
}

/** Joins a connection with the program's port, trying for as long as the program may take to listen. Never rejects. */
async function forward(
  connection: NativeConnection,
  open: () => ReturnType<SupervisorClient["openPort"]>,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + LISTENS_WITHIN_MS;
  for (;; await pause(RETRY_MS, signal)) {
    try {
      const { stream, rest } = await open();
      await relay(stream as Connection, connection, rest);
      return;
    } catch (error) {
      if (!signal.aborted && performance.now() < until) continue;
      if (!signal.aborted) say(`A connection to a port forwarded with -p was closed: ${(error as Error).message}`);
      return connection.reset();
    }
  }
}
