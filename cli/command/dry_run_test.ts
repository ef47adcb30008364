import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { dryRunFormat, dryRunText } from "./dry_run.ts";

const plan = {
  name: "kurun-kurun-abc12",
  namespace: "dev",
  service: "kurun",
  ports: [{ name: "http", port: 80, targetPort: 8444 }],
  image: "image:1",
  ttlSeconds: 120,
  holdMs: 3000,
  annotations: { "kurun.dev/who": "alice", "kurun.dev/since": "2026-01-01T00:00:00Z" },
};

Deno.test("a dry run shows every object, the Job first, and is the same at each run", () => {
  const text = dryRunText(plan, "yaml");
  const objects = parseAllDocuments(text).map((document) => document.toJS());
  assert.deepEqual(objects.map(({ kind }) => kind), ["Job", "Service", "Service", "Secret", "Deployment"]);
  assert.equal(
    dryRunText({ ...plan, name: "kurun-kurun-zzz99", annotations: { ...plan.annotations, "kurun.dev/since": "later" } }, "yaml"),
    text,
  );
});

Deno.test("a dry run shows the names of a Secret's values and not the values", () => {
  const { items } = JSON.parse(dryRunText(plan, "json"));
  const secret = items.find(({ kind }: { kind: string }) => kind === "Secret");
  assert.deepEqual(secret.stringData, {
    key: "(generated at start)",
    "tls.crt": "(generated at start)",
    "tls.key": "(generated at start)",
  });
  assert.equal(secret.data, undefined);
});

Deno.test("-o without a dry run is refused; the default of a dry run is yaml", () => {
  assert.throws(() => dryRunFormat({ output: "json" }), /-o json needs --dry-run=client/);
  assert.equal(dryRunFormat({ dryRun: "client" }), "yaml");
  assert.equal(dryRunFormat({ dryRun: "client", output: "json" }), "json");
  assert.equal(dryRunFormat({}), undefined);
});
