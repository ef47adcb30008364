import assert from "node:assert/strict";
import { ApiError } from "../../k8s/api/api_error.ts";
import { ConnectionError } from "../../k8s/api/connection_error.ts";
import { groupRefusals } from "./admission.ts";
import { certificateEnd } from "./certificate_end.ts";
import { clockSkew, type Diagnosis } from "./checks.ts";
import { missingRight } from "./finding.ts";
import { diagnosisJson, diagnosisText } from "./report.ts";

const HOUR_MS = 3_600_000;
const now = new Date("2026-11-28T12:00:00Z");
const after = (ms: number) => new Date(now.getTime() + ms);

Deno.test("a clock is wrong from a minute on, in either direction", () => {
  const skew = (ms: number) => clockSkew({ date: now, here: after(ms) }).map(({ seen }) => seen);
  assert.deepEqual(skew(59_000), []);
  assert.deepEqual(skew(-59_000), []);
  assert.deepEqual(skew(3 * HOUR_MS), ["this machine's clock is 10800 s ahead of the API server's"]);
  assert.deepEqual(skew(-61_400), ["this machine's clock is 61 s behind the API server's"]);
  assert.deepEqual(clockSkew({ date: undefined, here: now }), []);
});

Deno.test("a certificate ends soon in its last week, or in the last tenth of a short life", () => {
  const end = (from: number, to: number) => certificateEnd({ validFrom: after(from), validTo: after(to) }, now);
  const year = 365 * 24 * HOUR_MS;
  assert.equal(end(-year, 8 * 24 * HOUR_MS), undefined);
  assert.equal(end(-year, 24 * HOUR_MS), "expires on 2026-11-29T12:00:00.000Z");
  assert.equal(end(-6 * HOUR_MS, 6 * HOUR_MS), undefined);
  assert.equal(end(-11.5 * HOUR_MS, HOUR_MS / 2), "expires on 2026-11-28T12:30:00.000Z");
  assert.equal(end(-year, -HOUR_MS), "expired on 2026-11-28T11:00:00.000Z");
  assert.equal(end(HOUR_MS, year), "is not valid before 2026-11-28T13:00:00.000Z");
});

const forbidden = (message: string) => new ApiError(message, { status: 403, reason: "Forbidden" });
const NO_RIGHT = forbidden('pods is forbidden: User "jane" cannot create resource "pods" in API group "" in the namespace "shop"');

Deno.test("a missing right is told from other refusals", () => {
  assert.equal(missingRight(NO_RIGHT), "create pods");
  assert.equal(
    missingRight(forbidden('jobs.batch is forbidden: User "jane" cannot list resource "jobs" in API group "batch"')),
    "list jobs.batch",
  );
  assert.equal(missingRight(forbidden('pods "a" is forbidden: exceeded quota: q')), undefined);
  assert.equal(missingRight(new ConnectionError("reset", { address: "a:1", detail: "it broke" })), undefined);
});

Deno.test("refusals are reported once for each reason, with all kinds that it is about", () => {
  const refused = (kind: string, message: string, purpose = "run") => ({
    kind,
    purpose,
    error: forbidden(`${kind.toLowerCase()}s "x" is forbidden: ${message}`),
  });
  const findings = groupRefusals([
    { kind: "Service", purpose: "run" },
    refused("Pod", "exceeded quota: q"),
    refused("Job", "no"),
    refused("Pod", "no", "port-forward"),
    { kind: "Secret", purpose: "run", error: NO_RIGHT },
    refused("Job", 'admission webhook "old" does not support dry run'),
  ]);
  assert.deepEqual(findings.map(({ state, seen }) => `${state}: ${seen}`), [
    "problem: the cluster refuses the Pod of run: exceeded quota: q",
    "problem: the cluster refuses the Job, Pod of run and port-forward: no",
    'unchecked: not checked: the Job of run: admission webhook "old" does not support dry run',
    "unchecked: not checked: a dry run of the Secret of run needs the right to create them",
  ]);
});

const PLACE = { kubeconfig: ["/home/jane/.kube/config"], purposes: ["run"] } as const;
const DIAGNOSIS: Diagnosis = {
  findings: [
    { check: "rights", state: "problem", seen: "you cannot create pods", todo: "Ask." },
    { check: "rights", state: "problem", seen: "you cannot\nwatch pods\u001b[2J", todo: "Ask." },
    { check: "nodes", state: "unchecked", seen: "not checked: this needs the right to list nodes", todo: "" },
  ],
  checks: ["server", "rights", "nodes"],
  version: "v1.34.4",
  user: "jane",
  groups: [],
};

Deno.test("the report has a line for each finding, and what to do once", () => {
  assert.equal(
    diagnosisText(DIAGNOSIS, PLACE),
    "Kubeconfig: /home/jane/.kube/config\n" +
      "rights: you cannot create pods. Ask.\n" +
      "rights: you cannot watch pods\\x1b[2J\n" +
      "nodes: not checked: this needs the right to list nodes\n" +
      "2 problems found\n",
  );
  assert.match(diagnosisText({ ...DIAGNOSIS, findings: [] }, PLACE), /\nNothing is missing for run\n$/);
});

Deno.test("if the API server cannot be asked, the report says so once, and the JSON for each check", () => {
  const server = { check: "server", state: "problem", seen: "cannot reach it", todo: "" } as const;
  const lost: Diagnosis = { ...DIAGNOSIS, findings: [server, DIAGNOSIS.findings[2]!] };
  assert.match(diagnosisText(lost, PLACE), /\nserver: cannot reach it\nNothing else could be checked\n1 problem found\n$/);
  assert.deepEqual(JSON.parse(diagnosisJson(lost, PLACE)).checks, [server, DIAGNOSIS.findings[2], {
    check: "rights",
    state: "ok",
  }]);
});
