/**
 * Where an API server is and how to speak to it as a certain user: what requests and WebSockets are made from.
 *
 * @module
 */

import type { createConnection, Socket } from "node:net";
import { dial, type DialOptions, type DialTarget } from "./dial.ts";

/** Where the API server is and how to speak to it as this user. */
export interface ClusterAccess {
  /** May have a path (Rancher, Teleport), which goes before every other. */
  readonly server: URL;
  /** The flag's, else the context's, else "default". */
  readonly namespace: string;
  /** The context's name; empty where there is none (in a Pod, or by flags alone). */
  readonly context: string;
  /** The user's name in the kubeconfig, for people to read. */
  readonly user: string;
  /** What the user should know, such as that the server's certificate is not verified. */
  readonly warnings: readonly string[];
  /** `--request-timeout` in milliseconds; 0 is none, undefined not said. */
  readonly requestTimeoutMs: number | undefined;
  /**
   * What the next request or WebSocket is made with. Ask again for each: tokens and certificates change.
   *
   * @throws {CredentialError} when the user's credentials cannot be had.
   */
  connection(): Promise<ConnectionOptions>;
  /** To be called after a 401: credentials that were kept are asked for again. */
  refreshCredentials(): void;
}

/** What one request or WebSocket is made with; `new WebSocket(url, protocol, {...options})` of npm:ws takes it as it is. */
export interface ConnectionOptions {
  /** `Authorization` and `Impersonate-*`; a list is a header that is sent several times. */
  readonly headers: Record<string, string | string[]>;
  /** Changes with whom TLS says we are: connections of another identity are not to be used again. */
  readonly identity: string;
  /** Opens a connection: straight or through a proxy, TLS done and verified. @throws ConnectionError */
  readonly dial: (options?: DialOptions) => Promise<Socket>;
  /** The same for node:http's and ws's option of that name; it calls back, which Node's types do not know of. */
  readonly createConnection: typeof createConnection;
}

/** Makes {@linkcode ConnectionOptions} for a target. */
export function connectionTo(target: DialTarget, headers: Record<string, string | string[]>, identity: string): ConnectionOptions {
  return {
    headers,
    identity,
    dial: (options) => dial(target, options),
    createConnection: ((_options: unknown, done: (error: Error | null, socket?: Socket) => void) => {
      dial(target).then((socket) => done(null, socket), done);
    }) as unknown as typeof createConnection,
  };
}

/** The user's credentials cannot be had: a file, an exec plugin, a certificate. Its message never holds a credential. */
export class CredentialError extends Error {
  override readonly name = "CredentialError";
}
