import type { Connection, Transport } from "../../../tunnel/mod.ts";
import { WebSocketTransport } from "../../../tunnel/web_socket/web_socket_transport.ts";
import type { Api } from "../../api/api.ts";
import { ApiError } from "../../api/api_error.ts";
import { type ClusterAccess, targetAt } from "../../api/cluster_access.ts";
import { ConnectionError } from "../../api/connection_error.ts";
import type { DialedConnection } from "../../api/dial.ts";
import { HttpConnection, type IdleConnections } from "../../api/http1.ts";
import type { Pod } from "../../api/kubernetes_objects.ts";
import { controlTargetPort } from "../objects/forward_objects.ts";
import { CONTROL_PORT, controlServiceName, isRun, objectPath, SESSION_LABEL, type SessionPlan } from "../objects/session_plan.ts";
import { PORT_FORWARD_PROTOCOL, PortForwardConnection } from "./port_forward_connection.ts";
import { startTlsInside } from "./tls_inside.ts";
import { maskingKeys, requestWebSocket } from "./web_socket_request.ts";

/** The longest accepted message: a batch of frames has at most 64 KiB. */
const MAX_MESSAGE_BYTES = 256 * 1024;
/** The server never fragments its messages. */
const MAX_FRAGMENTS = 16;
const PROTOCOL = "kurun.v1";

/** The segment of the service proxy's URL that names Service and port. A Role must have it literally: `https:NAME-kurun:8333`. */
export function proxyTarget(service: string): string {
  return `https:${controlServiceName(service)}:${CONTROL_PORT}`;
}

/** Which session is dialed, and as whom. */
export interface DialedSession {
  readonly access: ClusterAccess;
  readonly api: Api;
  readonly plan: SessionPlan;
  /** The control port's certificate, PEM. */
  readonly certificate: string;
  /**
   * Connections of dials that the API server refused. Each leaves its own to the next one, which saves the round trips of TCP and TLS: while
   * a Pod starts, refusals come first.
   */
  readonly refused: IdleConnections;
}

/**
 * Opens the WebSocket to the session's control port through the API server's service proxy. It is a GET, so it takes the right `get` on
 * services/proxy.
 *
 * @throws {ApiError} with the API server's refusal, {ConnectionError} if there is no answer
 */
export async function dialByService(session: Pick<DialedSession, "access" | "plan" | "refused">, signal: AbortSignal): Promise<Transport> {
  const webSocket = await askApiServer(session, `${controlPath(session.plan)}/tunnel`, PROTOCOL, signal);
  return tunnelOver(webSocket, maskingKeys(session.access.server));
}

/**
 * Opens the same WebSocket through the Pod's kubelet, which takes the rights `get` and `create` on pods/portforward. The client speaks TLS
 * with the Pod itself, and accepts only the session's certificate.
 *
 * @throws as {@linkcode dialByService} does
 */
export async function dialByPod(session: DialedSession, signal: AbortSignal): Promise<Transport> {
  const connection = new HttpConnection(await connectToPod(session, signal));
  const request = { host: controlServiceName(session.plan.service), target: "/tunnel", headers: {}, protocol: PROTOCOL };
  return tunnelOver(
    await requestWebSocket(connection, request, signal).catch((error) => {
      connection.destroy();
      throw error;
    }),
    () => 0,
  );
}

/** Asks the control port with a GET through the service proxy. @throws as {@linkcode dialByService} does */
export async function askByService({ api, plan }: DialedSession, path: string, signal: AbortSignal): Promise<void> {
  await api.get(controlPath(plan) + path, { signal });
}

/** Asks the control port with a GET through the Pod's kubelet. @throws as {@linkcode dialByService} does */
export async function askByPod(session: DialedSession, path: string, signal: AbortSignal): Promise<void> {
  const connection = new HttpConnection(await connectToPod(session, signal));
  const end = () => connection.destroy();
  signal.addEventListener("abort", end);
  try {
    await connection.send({ method: "GET", target: path, headers: { Host: controlServiceName(session.plan.service) } });
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}

/** The path of the control port in the service proxy. */
function controlPath({ namespace, service }: SessionPlan): string {
  return `/api/v1/namespaces/${namespace}/services/${proxyTarget(service)}/proxy`;
}

/** Asks the API server for a WebSocket. */
async function askApiServer(
  { access, refused }: Pick<DialedSession, "access" | "refused">,
  path: string,
  protocol: string,
  signal: AbortSignal,
): Promise<Connection> {
  const { server } = access;
  const { dial, headers, identity } = await access.connection();
  signal.throwIfAborted();
  // Like a POST, a dial is not repeated if the connection turns out to be broken: it takes one that was idle for seconds at most.
  const connection = refused.take(identity, "POST") ?? new HttpConnection(await dial({ signal, webSocket: true }));
  const request = { host: server.host, target: targetAt(server, path), headers, protocol };
  return await requestWebSocket(connection, request, signal).catch((error) => {
    // A server with a path is behind a proxy, which may pass everything on unread once it has seen a request to upgrade.
    if (error instanceof ApiError && server.pathname === "/") refused.keep(connection, identity);
    else connection.destroy();
    throw error;
  });
}

/** Opens a connection to the control port through the Pod's kubelet, with TLS inside. */
async function connectToPod(session: DialedSession, signal: AbortSignal): Promise<DialedConnection> {
  const { access, plan, certificate } = session;
  const port = isRun(plan) ? CONTROL_PORT : controlTargetPort(plan);
  const path = `${objectPath("Pod", plan.namespace, await runningPod(session, signal))}/portforward?ports=${port}`;
  const webSocket = await askApiServer(session, path, PORT_FORWARD_PROTOCOL, signal);
  const forwarded = new PortForwardConnection(webSocket, maskingKeys(access.server));
  try {
    return await startTlsInside(forwarded, controlServiceName(plan.service), certificate, signal);
  } catch (error) {
    forwarded.reset();
    signal.throwIfAborted();
    // It comes from the cluster, and must stay on one line.
    const detail = forwarded.refusal?.replace(/\p{C}+/gu, " ") ?? (error as Error).message;
    throw new ConnectionError("protocol", { address: access.server.host, detail, cause: error });
  }
}

/** Waits until the session has a Pod that runs and is not being deleted. @returns its name @throws as {@linkcode Api.watch} does */
export async function runningPod({ api, plan: { namespace, name } }: DialedSession, signal: AbortSignal): Promise<string> {
  const query = { labelSelector: `${SESSION_LABEL}=${name}` };
  for await (const { type, object } of api.watch<Pod>(objectPath("Pod", namespace), { query, signal })) {
    if (type !== "ADDED" && type !== "MODIFIED") continue;
    if (object.status?.phase === "Running" && !object.metadata.deletionTimestamp) return object.metadata.name;
  }
  throw new ConnectionError("timeout", { address: api.access.server.host, detail: "the session has no running Pod" });
}

function tunnelOver(connection: Connection, maskingKey: () => number): Transport {
  const limits = { messageBytes: MAX_MESSAGE_BYTES, fragments: MAX_FRAGMENTS };
  return new WebSocketTransport(connection, { role: "client", limits, maskingKey });
}
