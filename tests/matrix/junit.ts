/** What became of tests. */
export interface TestResults {
  readonly passed: number;
  readonly failed: readonly FailedTest[];
  readonly skipped: readonly string[];
  /** The files that have a result, such as `./tests/e2e/ls_test.ts`. */
  readonly files: readonly string[];
}

/** A test that failed. */
export interface FailedTest {
  /** Such as `./tests/e2e/ls_test.ts`. */
  readonly file: string;
  readonly name: string;
  /** The first line of the error. */
  readonly error: string;
}

/** Reads the file that `deno test --junit-path` writes. */
export function junitResults(xml: string): TestResults {
  let passed = 0;
  const failed: FailedTest[] = [];
  const skipped: string[] = [];
  const files = new Set<string>();
  for (const [, name, file, content] of xml.matchAll(/<testcase name="([^"]*)" classname="([^"]*)"[^>]*>(.*?)<\/testcase>/gs)) {
    files.add(unescaped(file));
    const error = /<failure message="([^"\n]*)/.exec(content ?? "")?.[1];
    if (error !== undefined) failed.push({ file: unescaped(file), name: unescaped(name), error: unescaped(error) });
    else if (content?.includes("<skipped/>")) skipped.push(unescaped(name));
    else passed++;
  }
  return { passed, failed, skipped, files: [...files] };
}

/** Adds results up. */
export function together(all: readonly TestResults[]): TestResults {
  return {
    passed: all.reduce((sum, { passed }) => sum + passed, 0),
    failed: all.flatMap(({ failed }) => failed),
    skipped: all.flatMap(({ skipped }) => skipped),
    files: all.flatMap(({ files }) => files),
  };
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescaped(text = ""): string {
  return text.replaceAll(/&(\w+);/g, (entity, name) => ENTITIES[name] ?? entity);
}
