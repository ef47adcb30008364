import { Api } from "../k8s/api/api.ts";
import { connectionTo } from "../k8s/api/cluster_access.ts";
import type { ScriptedServer } from "./scripted_server.ts";

/** An API client that talks to a scripted server. */
export function scriptedApi(server: ScriptedServer): Api {
  return new Api({
    server: new URL(`http://127.0.0.1:${server.port}/`),
    namespace: "default",
    context: "test",
    user: "jane",
    warnings: [],
    requestTimeoutMs: undefined,
    connection: () => Promise.resolve(connectionTo({ host: "127.0.0.1", port: server.port }, {}, "1")),
    refreshCredentials: () => {},
  }, { userAgent: "kurun/test" });
}
