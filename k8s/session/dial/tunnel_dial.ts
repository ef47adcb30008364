import type { Transport } from "../../../tunnel/mod.ts";
import { WebSocketTransport } from "../../../tunnel/web_socket/web_socket_transport.ts";
import type { ClusterAccess } from "../../api/cluster_access.ts";
import { HttpConnection } from "../../api/http1.ts";
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
 * Opens the WebSocket to the session's control port through the API server's service proxy. It is a GET, so it takes the right `get` on
 * services/proxy.
 *
 * @throws {ApiError} with the API server's refusal, {ConnectionError} if there is no answer
 */
export async function dialTunnel(access: ClusterAccess, namespace: string, service: string, signal: AbortSignal): Promise<Transport> {
  const { server } = access;
  const { dial, headers } = await access.connection();
  signal.throwIfAborted();
  const connection = new HttpConnection(await dial({ signal, webSocket: true }));
  const target = `${server.pathname.replace(/\/$/, "")}/api/v1/namespaces/${namespace}/services/${proxyTarget(service)}/proxy/tunnel`;
  const opened = await requestWebSocket(connection, { host: server.host, target, headers, protocol: PROTOCOL }, signal);
  return new WebSocketTransport(opened, {
    role: "client",
    limits: { messageBytes: MAX_MESSAGE_BYTES, fragments: MAX_FRAGMENTS },
    // Masks protect old plain-text proxies (RFC 6455, 10.3). Inside TLS they only cost time: a mask of zeros triples the upload throughput.
    ...(server.protocol === "http:" ? {} : { maskingKey: () => 0 }),
  });
}
