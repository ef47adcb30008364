import assert from "node:assert/strict";
import { FORWARD_PLAN } from "../../../tests/forward_plan.ts";
import { scriptedApi } from "../../../tests/scripted_api.ts";
import { ScriptedServer } from "../../../tests/scripted_server.ts";
import { fitCluster } from "./fit_cluster.ts";

for (
  const [status, message, place] of [
    [201, "", "ConfigMap"],
    [500, 'failed calling webhook "hook.example.com": connection refused', "Secret"],
    [403, "admission webhook denied the request", "Secret"],
    [401, "Unauthorized", undefined],
    [404, "namespaces not found", undefined],
  ] as const
) {
  Deno.test(`a dry run that is answered with ${status} ${place ? `puts the server into a ${place}` : "is an error"}`, async () => {
    using server = new ScriptedServer(({ method }, reply) =>
      reply.json(method === "POST" ? status : 404, { kind: "Status", message, metadata: {} }, { Connection: "close" })
    );
    using api = scriptedApi(server);
    const fitted = fitCluster(api, { ...FORWARD_PLAN, server: "// server" }, new AbortController().signal);
    if (place) assert.equal((await fitted).serverIn, place);
    else await assert.rejects(fitted, new RegExp(message));
  });
}
