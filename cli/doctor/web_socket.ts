import { ApiError } from "../../k8s/api/api_error.ts";
import { type ClusterAccess, targetAt } from "../../k8s/api/cluster_access.ts";
import { HttpConnection } from "../../k8s/api/http1.ts";
import { requestWebSocket } from "../../k8s/session/dial/web_socket_request.ts";
import { type Finding, missingRight, problem } from "./finding.ts";

const ADVICE = "Let the proxy or load balancer on the way pass Upgrade: websocket, or go around it (NO_PROXY, --server)";

/** Opens a WebSocket as the tunnel does, but for a watch of Pods, which takes a right that every session needs and ends after a second. */
export async function checkWebSocket(access: ClusterAccess, limitMs: number, signal: AbortSignal): Promise<Finding[]> {
  const { server, namespace } = access;
  const { dial, headers } = await access.connection();
  const connection = new HttpConnection(await dial({ signal, timeoutMs: limitMs, webSocket: true }));
  const target = targetAt(server, `/api/v1/namespaces/${namespace}/pods?watch=true&timeoutSeconds=1`);
  // The API server refuses a watch without an Origin.
  const request = { host: server.host, target, headers: { ...headers, Origin: server.origin }, protocol: "kurun.v1" };
  try {
    (await requestWebSocket(connection, request, AbortSignal.any([signal, AbortSignal.timeout(limitMs)]))).reset();
    return [];
  } catch (error) {
    connection.destroy();
    if (missingRight(error) !== undefined || error instanceof ApiError && error.status === 401) throw error;
    const plain = error instanceof ApiError && error.status < 300;
    const why = plain
      ? "it was answered like an ordinary request: something on the way drops the Upgrade header"
      : signal.aborted
      ? "cancelled"
      : (error as Error).message;
    return [problem("websocket", `a WebSocket does not reach the API server: ${why}`, ADVICE)];
  }
}
