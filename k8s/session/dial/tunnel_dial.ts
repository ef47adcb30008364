import type { IncomingMessage } from "node:http";
// @ts-types="@types/ws"
import WebSocket from "ws";
import { type Transport, type WebSocketLike, WebSocketTransport } from "../../../tunnel/mod.ts";
import { statusError } from "../../api/api_error.ts";
import type { ClusterAccess } from "../../api/cluster_access.ts";
import { CONTROL_PORT, controlServiceName } from "../objects/session_plan.ts";

/** The longest accepted message: a batch of frames has at most 64 KiB. */
const MAX_MESSAGE_BYTES = 256 * 1024;
/** The server never fragments its messages. Each fragment costs a hundred bytes, however small it is. */
const MAX_FRAGMENTS = 16;
const OPEN_MS = 10_000;

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
  const url = new URL(access.server);
  url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  const path = `/api/v1/namespaces/${namespace}/services/${proxyTarget(service)}/proxy/tunnel`;
  url.pathname = url.pathname.replace(/\/$/, "") + path;
  const { headers, createConnection } = await access.connection();
  signal.throwIfAborted();
  const socket = new WebSocket(url, "kurun.v1", {
    createConnection,
    headers: { ...headers, "user-agent": "kurun" },
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    maxFragments: MAX_FRAGMENTS,
    handshakeTimeout: OPEN_MS,
    autoPong: false,
    // Masks protect old plain-text proxies (RFC 6455, 10.3). Inside TLS they only cost time: a mask of zeros triples the upload throughput.
    ...(url.protocol === "wss:" ? { generateMask: () => {} } : {}),
  } as unknown as WebSocket.ClientOptions);
  const abort = () => socket.terminate();
  signal.addEventListener("abort", abort);
  try {
    await opened(socket);
  } finally {
    signal.removeEventListener("abort", abort);
  }
  return new WebSocketTransport(socket as unknown as WebSocketLike);
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
    socket.once("unexpected-response", (_request: unknown, response: IncomingMessage) => {
      readShort(response).then((body) => reject(statusError(response.statusCode ?? 0, body)), reject);
    });
  });
}

async function readShort(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response) {
    text += new TextDecoder().decode(chunk as Uint8Array);
    if (text.length > 64 * 1024) break;
  }
  return text;
}
