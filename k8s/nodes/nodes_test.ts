import { deepStrictEqual as same, strictEqual as equal } from "node:assert/strict";
import { scriptedApi } from "../../tests/scripted_api.ts";
import { ScriptedServer } from "../../tests/scripted_server.ts";
import { commonArchitecture, linuxNodes } from "./nodes.ts";

function node(architecture: string, more: { unschedulable?: boolean; operatingSystem?: string } = {}) {
  return {
    metadata: { name: "n" },
    spec: more.unschedulable ? { unschedulable: true } : {},
    status: { nodeInfo: { architecture, ...more.operatingSystem && { operatingSystem: more.operatingSystem } } },
  };
}

async function listed(status: number, body: unknown): ReturnType<typeof linuxNodes> {
  using server = new ScriptedServer((_, reply) => reply.json(status, body));
  using api = scriptedApi(server);
  return await linuxNodes(api, AbortSignal.timeout(5_000));
}

Deno.test("programs are built for the architecture of most Linux nodes that take Pods", async () => {
  const common = async (...items: unknown[]) => commonArchitecture((await listed(200, { items })) ?? []);
  equal(await common(node("arm64")), "arm64");
  equal(await common(node("arm64"), node("amd64")), "amd64");
  equal(await common(node("arm64"), node("amd64", { unschedulable: true })), "arm64");
  const windows = node("amd64", { operatingSystem: "windows" });
  equal(await common(node("arm64", { operatingSystem: "linux" }), windows, windows), "arm64");
  equal(await common(node("s390x")), undefined);
  equal(await common(), undefined);
});

Deno.test("a user who may not list nodes gets undefined, and any other error is thrown", async () => {
  same(await listed(403, { kind: "Status", reason: "Forbidden", message: "no" }), undefined);
  equal(await listed(500, { kind: "Status", message: "no" }).then(() => "", (error) => error.status), 500);
});
