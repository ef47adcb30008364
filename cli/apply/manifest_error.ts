import type { ManifestProblem } from "../../k8s/manifests/apply_plan.ts";

/** The manifests cannot be used. Nothing was built or applied. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
  /** All problems in the order of the files. Line 0 means the whole file. */
  readonly problems: readonly ManifestProblem[];

  constructor(problems: readonly ManifestProblem[], options?: ErrorOptions) {
    super(problems.map(describeProblem).join("\n"), options);
    this.problems = problems;
  }
}

/** `file:line:column: what`, which editors understand. */
export function describeProblem({ file, line, column, what }: ManifestProblem): string {
  return `${file}:${line === 0 ? "" : `${line}:${column}:`} ${what}`;
}
