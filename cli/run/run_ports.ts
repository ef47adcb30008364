import { type Connection, type NativeConnection, relay } from "../../tunnel/mod.ts";
import { ExitCode, usageError, UserError } from "../command/errors.ts";
import { parsePort } from "../command/port.ts";
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

/** Ports of this machine's localhost that are forwarded to the program, from before it starts until aborted. */
export class RunPorts {
  readonly #listeners: { readonly listener: Deno.TcpListener; readonly remote: number }[] = [];

  /** Listens on the ports. @throws UserError if one is taken */
  constructor(pairs: readonly PortPair[], signal: AbortSignal) {
    signal.addEventListener("abort", () => this.#close(), { once: true });
    for (const { local, remote } of pairs) {
      for (const hostname of ["127.0.0.1", "::1"]) {
        try {
          this.#listeners.push({ listener: Deno.listen({ hostname, port: local }), remote });
        } catch (cause) {
          // A machine may have no IPv6. But if another program has the port on ::1, localhost leads there.
          if (hostname === "::1" && !(cause instanceof Deno.errors.AddrInUse)) continue;
          this.#close();
          const where = `-p: cannot listen on port ${local} of this machine`;
          throw new UserError(`${where} (${hostname}): ${(cause as Error).message}`, ExitCode.neverStarted, { cause });
        }
      }
    }
  }

  /** Forwards connections to the program. @param say gets a line for each one that could not be forwarded */
  serve(client: SupervisorClient, say: (line: string) => void, signal: AbortSignal): void {
    for (const { listener, remote } of this.#listeners) void accept(listener, remote, { client, say, signal });
  }

  #close(): void {
    for (const { listener } of this.#listeners.splice(0)) listener.close();
  }
}

interface Serving {
  readonly client: SupervisorClient;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Forwards every connection of a listener until it is closed. Never rejects. */
async function accept(listener: Deno.TcpListener, remote: number, serving: Serving): Promise<void> {
  try {
    for await (const socket of listener) void forward(new TcpConnection(socket), remote, serving);
  } catch {
    // The listener was closed.
  }
}

/** Joins a connection with the program's port, trying for as long as the program may take to listen. Never rejects. */
async function forward(connection: NativeConnection, remote: number, { client, say, signal }: Serving): Promise<void> {
  const until = performance.now() + LISTENS_WITHIN_MS;
  for (;;) {
    try {
      const { stream, rest } = await client.openPort(remote, signal);
      await relay(stream as Connection, connection, rest);
      return;
    } catch (error) {
      if (signal.aborted) return connection.reset();
      if (performance.now() >= until) {
        say(`A connection to a port of -p was closed: ${(error as Error).message}`);
        return connection.reset();
      }
      await pause(RETRY_MS, signal);
    }
  }
}
