import type { ManifestProblem } from "./apply_plan.ts";

/** The manifests cannot be used. Nothing was built or applied. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";

  /** @param problems all of them in the order of the files. Line 0 means the whole file */
  constructor(problems: readonly ManifestProblem[]) {
    super(problems.map(describeProblem).join("\n"));
  }
}

/** `file:line:column: what`, which editors understand. */
export function describeProblem({ file, line, column, what }: ManifestProblem): string {
  return `${file}:${line === 0 ? "" : `${line}:${column}:`} ${what}`;
}

/** Ends the command if there are problems. @throws ManifestError with all of them, in the order of files and lines */
export function refuse(problems: readonly ManifestProblem[], manifests: readonly { readonly file: { readonly name: string } }[]): void {
  if (problems.length === 0) return;
  const rank = new Map(manifests.map(({ file }, index) => [file.name, index]));
  const of = ({ file }: ManifestProblem) => rank.get(file) ?? manifests.length;
  throw new ManifestError(problems.toSorted((a, b) => of(a) - of(b) || a.line - b.line || a.column - b.column));
}
