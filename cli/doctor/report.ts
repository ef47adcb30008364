import type { ClusterAccess } from "../../k8s/api/cluster_access.ts";
import type { Purpose } from "../../k8s/session/role_rules.ts";
import { terminalLine } from "../command/terminal_text.ts";
import type { Diagnosis } from "./checks.ts";

/** Where and for what the checks were made. */
export interface ExaminedPlace {
  /** Undefined if the kubeconfig or the credentials cannot be used. */
  readonly access?: ClusterAccess | undefined;
  readonly kubeconfig: readonly string[];
  readonly purposes: readonly Purpose[];
}

/** The report for people: who and where, a line for each finding, and a line that sums up. */
export function diagnosisText({ version, user, groups, findings }: Diagnosis, { access, kubeconfig, purposes }: ExaminedPlace): string {
  const problems = findings.filter(({ state }) => state === "problem");
  const isReached = problems.every(({ check }) => check !== "server" && check !== "kubeconfig");
  const groupText = groups.length > 0 ? ` (${groups.join(", ")})` : "";
  const where = [
    `User:       ${user || "unknown"}${groupText}, namespace ${access?.namespace}`,
    `API server: ${access?.server.href}${access?.proxy ? ` through the proxy ${access.proxy}` : ""}${
      version ? `, Kubernetes ${version}` : ""
    }`,
  ];
  return [
    `Kubeconfig: ${kubeconfig.join(", ") || "none"}${access?.context ? `, context ${access.context}` : ""}`,
    ...(access ? where : []),
    // What to do about several of a kind is said once.
    ...(isReached ? findings : problems).map(({ check, seen, todo }, at) =>
      `${check}: ${seen}${todo && findings[at - 1]?.todo !== todo ? `. ${todo}` : ""}`
    ),
    ...(isReached ? [] : ["Nothing else could be checked"]),
    problems.length > 0
      ? `${problems.length} ${problems.length === 1 ? "problem" : "problems"} found`
      : `Nothing is missing for ${purposes.join(", ")}`,
  ].map((line) => `${terminalLine(line)}\n`).join("");
}

/** The report for scripts. */
export function diagnosisJson({ checks, findings, ...who }: Diagnosis, { access, kubeconfig, purposes }: ExaminedPlace): string {
  const { context, server, proxy, namespace } = access ?? {};
  const fine = checks.filter((check) => findings.every((finding) => finding.check !== check)).map((check) => ({ check, state: "ok" }));
  const diagnosis = {
    apiVersion: "kurun.dev/v1",
    kind: "Diagnosis",
    ...{ kubeconfig, context, server: server?.href, proxy, namespace, ...who },
    for: purposes,
    problems: findings.filter(({ state }) => state === "problem").length,
    checks: [...findings, ...fine],
  };
  return `${JSON.stringify(diagnosis, null, 4)}\n`;
}
