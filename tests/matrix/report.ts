import { type ClusterVariant, KUBERNETES_VERSIONS } from "../cluster/variant.ts";
import type { FailedTest, TestResults } from "./junit.ts";
import { rowName } from "./rows.ts";

/** What came of a row. */
export interface RowResult {
  readonly row: ClusterVariant;
  /** What the API server says, such as v1.34.4. */
  readonly version: string;
  /** How many files of tests were run, and whether they were all. */
  readonly files: string;
  readonly results: TestResults;
  /** The tests that failed next to others and passed alone. */
  readonly onlyAlone: readonly string[];
  readonly tookMs: number;
  /** The date and what was tested. */
  readonly when: string;
}

const VERSIONS = Object.keys(KUBERNETES_VERSIONS).sort();

const HEAD = `# Compatibility

## Supported

| | supported | tested |
| --- | --- | --- |
| Kubernetes | ${VERSIONS[0]} to ${VERSIONS.at(-1)} | ${VERSIONS.join(", ")} |
| Deno that runs kurun | 2.6.10 to 2.9 | 2.6.10, 2.9.6 |
| Deno in the Pod | 2.8 or newer; the default is 2.9.6 | 2.9.6 |
| executables | Linux with glibc (amd64, arm64), macOS (amd64, arm64), Windows (amd64) | Linux amd64 |
| nodes | Linux (amd64, arm64) | Linux amd64 |

Older versions of Kubernetes may work, but are not tested; \`kurun webhook\` needs 1.28 or newer.

## Tested clusters

Each row is a cluster that the tests build from source. The tests are in \`tests/e2e\`; *files* says how many of them ran.
[Clusters](clusters.md) says what is known about kind, EKS, GKE, OpenShift and others.

Written by \`deno task test:matrix --write\`; do not edit. A test that fails runs once more, alone: *only alone* counts those that then
passed.

`;
const TITLES = ["cluster", "version", "files", "passed", "only alone", "failed", "skipped", "minutes", "tested"];

/** A row's line in the table, without what is wrong with it. */
export function rowLine({ row, version, files, results, onlyAlone, tookMs, when }: RowResult): string {
  const { passed, failed, skipped } = results;
  const names = (tests: readonly string[]) => tests.length === 0 ? "0" : `${tests.length}: ${tests.join("; ")}`;
  const cells = [
    rowName(row),
    version,
    files,
    passed.length,
    names(onlyAlone),
    names(failed.map(failedText)),
    names(skipped),
    Math.round(tookMs / 60_000),
    when,
  ];
  return `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |\n`;
}

/** The text of docs/compatibility.md. @param old its text until now; rows that did not run stay as they are */
export function compatibilityDocument(names: readonly string[], results: readonly RowResult[], old: string): string {
  const lines = names.map((name) => {
    const result = results.find(({ row }) => rowName(row) === name);
    return result ? rowLine(result) : old.split("\n").filter((line) => line.startsWith(`| ${name} |`)).map((line) => `${line}\n`).join("");
  });
  return `${HEAD}| ${TITLES.join(" | ")} |\n|${" --- |".repeat(TITLES.length)}\n${lines.join("")}`;
}

function failedText({ file, name, error }: FailedTest): string {
  return `${name} (${file.replace("./tests/e2e/", "")}): ${error}`;
}
