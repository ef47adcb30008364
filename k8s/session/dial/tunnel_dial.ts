import type { IncomingMessage } from "node:http";
// @ts-types="@types/ws"
import WebSocket from "ws";
import { type Transport, type WebSocketLike, WebSocketTransport } from "../../../tunnel/mod.ts";
import { statusError } from "../../api/api_error.ts";
import type { ClusterAccess } from "../../api/cluster_access.ts";
import { CONTROL_PORT, controlServiceName } from "../objects/session_plan.ts";

/** No message of the server is longer: a batch of frames is at most 64 KiB. */
const MAX_MESSAGE_BYTES = 256 * 1024;
/** The server's messages are never cut into fragments, each of which costs a hundred bytes however small. */
const MAX_FRAGMENTS = 16;
const OPEN_MS = 10_000;

/** The Service port's name in the proxy's URL; a Role must name it word for word: `https:NAME-kurun:8333`. */
export function proxyTarget(service: string): string {
  return `https:${controlServiceName(service)}:${CONTROL_PORT}`;
}

/**
 * Opens the WebSocket to the session's control port through the API server's service proxy (GET, so it takes `get` on services/proxy).
 * @throws ApiError with the API server's answer, or what the network says
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
    // Masks guard old plain-text proxies (RFC 6455, 10.3); inside TLS they only cost: leaving zeros triples the throughput this way.
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
