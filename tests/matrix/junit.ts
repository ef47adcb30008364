/** What became of tests. */
export interface TestResults {
  /** Names. */
  readonly passed: readonly string[];
  readonly failed: readonly FailedTest[];
  readonly skipped: readonly string[];
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
  const passed: string[] = [];
  const failed: FailedTest[] = [];
  const skipped: string[] = [];
  for (const [, name, file, content] of xml.matchAll(/<testcase name="([^"]*)" classname="([^"]*)"[^>]*>(.*?)<\/testcase>/gs)) {
    const error = /<failure message="([^"\n]*)/.exec(content ?? "")?.[1];
    if (error !== undefined) failed.push({ file: unescaped(file), name: unescaped(name), error: unescaped(error) });
    else if (content?.includes("<skipped/>")) skipped.push(unescaped(name));
    else passed.push(unescaped(name));
  }
  return { passed, failed, skipped };
}

/** Adds results up. */
export function together(all: readonly TestResults[]): TestResults {
  return {
    passed: all.flatMap(({ passed }) => passed),
    failed: all.flatMap(({ failed }) => failed),
    skipped: all.flatMap(({ skipped }) => skipped),
  };
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescaped(text = ""): string {
  return text.replaceAll(/&(\w+);/g, (entity, name) => ENTITIES[name] ?? entity);
}
