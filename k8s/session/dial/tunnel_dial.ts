import type { Transport } from "../../../tunnel/mod.ts";
import { checkOpening, openingHeaders, openingKey } from "../../../tunnel/web_socket/opening.ts";
import { WebSocketTransport } from "../../../tunnel/web_socket/web_socket_transport.ts";
import { statusError } from "../../api/api_error.ts";
import type { ClusterAccess } from "../../api/cluster_access.ts";
import { ConnectionError } from "../../api/connection_error.ts";
import { HttpConnection } from "../../api/http1.ts";
import { CONTROL_PORT, controlServiceName } from "../objects/session_plan.ts";

/** The longest accepted message: a batch of frames has at most 64 KiB. */
const MAX_MESSAGE_BYTES = 256 * 1024;
/** The server never fragments its messages. */
const MAX_FRAGMENTS = 16;
const OPEN_MS = 10_000;
/** The most that is read of an answer that is not a WebSocket. */
const MAX_REFUSAL_BYTES = 64 * 1024;
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
  const limited = AbortSignal.any([signal, AbortSignal.timeout(OPEN_MS)]);
  const abort = () => connection.destroy();
  limited.addEventListener("abort", abort);
  try {
    const key = openingKey();
    const { status, headers: answered, body } = await connection.send({
      method: "GET",
      target: `${server.pathname.replace(/\/$/, "")}/api/v1/namespaces/${namespace}/services/${proxyTarget(service)}/proxy/tunnel`,
      headers: { Host: server.host, "User-Agent": "kurun", ...openingHeaders(key, PROTOCOL), ...headers },
    });
    if (status !== 101) throw statusError(status, await readShort(body));
    await checkOpening(answered, key, PROTOCOL);
    limited.throwIfAborted();
  } catch (error) {
    connection.destroy();
    signal.throwIfAborted();
    const { name, message } = error as Error;
    if (name !== "HttpConnectionError" && name !== "OpeningError" && !limited.aborted) throw error;
    throw new ConnectionError("protocol", { address: server.host, detail: `no WebSocket was opened: ${message}`, cause: error });
  } finally {
    limited.removeEventListener("abort", abort);
  }
  return new WebSocketTransport(connection.takeOver(), {
    role: "client",
    limits: { messageBytes: MAX_MESSAGE_BYTES, fragments: MAX_FRAGMENTS },
    // Masks protect old plain-text proxies (RFC 6455, 10.3). Inside TLS they only cost time: a mask of zeros triples the upload throughput.
    ...(server.protocol === "http:" ? {} : { maskingKey: () => 0 }),
  });
}

async function readShort(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_REFUSAL_BYTES) break;
  }
  return text;
}
