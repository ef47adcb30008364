import type { ManifestProblem } from "../../k8s/manifests/apply_plan.ts";

/** Manifests cannot be used; nothing was built or applied. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
  /** All that is wrong, in the order of the files; line 0 is the file as a whole. */
  readonly problems: readonly ManifestProblem[];

  constructor(problems: readonly ManifestProblem[], options?: ErrorOptions) {
    super(describeProblems(problems), options);
    this.problems = problems;
  }
}

/** A line for each problem, `file:line:column: what`, as editors read it. */
export function describeProblems(problems: readonly ManifestProblem[]): string {
  return problems.map(describeProblem).join("\n");
}

/** `file:line:column: what` */
export function describeProblem({ file, line, column, what }: ManifestProblem): string {
  return `${file}:${line === 0 ? "" : `${line}:${column}:`} ${what}`;
}
