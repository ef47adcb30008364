import type { ManifestProblem } from "../../k8s/manifests/apply_plan.ts";

/** The manifests cannot be used. Nothing was built or applied. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
  /** All problems in the order of the files. Line 0 means the whole file. */
  readonly problems: readonly ManifestProblem[];

  constructor(problems: readonly ManifestProblem[], options?: ErrorOptions) {
    super(describeProblems(problems), options);
    this.problems = problems;
  }
}

/** A line for each problem, `file:line:column: what`, which editors understand. */
export function describeProblems(problems: readonly ManifestProblem[]): string {
  return problems.map(describeProblem).join("\n");
}

/** `file:line:column: what` */
export function describeProblem({ file, line, column, what }: ManifestProblem): string {
  return `${file}:${line === 0 ? "" : `${line}:${column}:`} ${what}`;
}
