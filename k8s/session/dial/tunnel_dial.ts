import type { Transport } from "../../../tunnel/mod.ts";
import { WebSocketTransport } from "../../../tunnel/web_socket/web_socket_transport.ts";
import { ApiError } from "../../api/api_error.ts";
import type { ClusterAccess } from "../../api/cluster_access.ts";
import { HttpConnection, IdleConnections } from "../../api/http1.ts";
import { CONTROL_PORT, controlServiceName } from "../objects/session_plan.ts";
import { requestWebSocket } from "./web_socket_request.ts";

/** The longest accepted message: a batch of frames has at most 64 KiB. */
const MAX_MESSAGE_BYTES = 256 * 1024;
/** The server never fragments its messages. */
const MAX_FRAGMENTS = 16;
const PROTOCOL = "kurun.v1";

/** The segment of the service proxy's URL that names Service and port. A Role must have it literally: `https:NAME-kurun:8333`. */
export function proxyTarget(service: string): string {
  return `https:${controlServiceName(service)}:${CONTROL_PORT}`;
}

/**
 * Opens WebSockets to the session's control port through the API server's service proxy. Each is a GET, so it takes the right `get` on
 * services/proxy. A dial that is refused leaves its connection to the next one, which saves the round trips of TCP and TLS: while a Pod
 * starts, refusals come first.
 */
export class TunnelDialer {
  readonly #access: ClusterAccess;
  readonly #target: string;
  readonly #refused = new IdleConnections();

  constructor(access: ClusterAccess, namespace: string, service: string) {
    this.#access = access;
    const path = `/api/v1/namespaces/${namespace}/services/${proxyTarget(service)}/proxy/tunnel`;
    this.#target = access.server.pathname.replace(/\/$/, "") + path;
  }

  /** Opens one. @throws {ApiError} with the API server's refusal, {ConnectionError} if there is no answer */
  async dial(signal: AbortSignal): Promise<Transport> {
    const { server } = this.#access;
    const { dial, headers, identity } = await this.#access.connection();
    signal.throwIfAborted();
    // Like a POST, a dial is not repeated if the connection turns out to be broken: it takes one that was idle for seconds at most.
    const connection = this.#refused.take(identity, "POST") ?? new HttpConnection(await dial({ signal, webSocket: true }));
    const request = { host: server.host, target: this.#target, headers, protocol: PROTOCOL };
    const opened = await requestWebSocket(connection, request, signal).catch((error) => {
      if (error instanceof ApiError) this.#refused.keep(connection, identity);
      throw error;
    });
    return new WebSocketTransport(opened, {
      role: "client",
      limits: { messageBytes: MAX_MESSAGE_BYTES, fragments: MAX_FRAGMENTS },
      // Masks protect old plain-text proxies (RFC 6455, 10.3). Inside TLS they only cost time: a mask of zeros triples the upload throughput.
      ...(server.protocol === "http:" ? {} : { maskingKey: () => 0 }),
    });
  }

  /** Closes what the last refusal has left. */
  [Symbol.dispose](): void {
    this.#refused.close();
  }
}
