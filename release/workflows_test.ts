/** The workflows of .github/: what they may do, and whether what they name is there. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import config from "../deno.json" with { type: "json" };
import { executableName, TARGETS } from "./targets.ts";
import { testWith } from "./validators.ts";

const FOLDER = fileURLToPath(new URL("../.github/workflows/", import.meta.url));

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Record<string, unknown>;
}

interface Job {
  readonly permissions?: Record<string, string>;
  readonly "timeout-minutes"?: number;
  /** A workflow that is the whole job, instead of steps. */
  readonly uses?: string;
  readonly needs?: string | readonly string[];
  readonly steps?: readonly Step[];
  readonly strategy?: { readonly matrix: { readonly runner?: readonly string[]; readonly include?: readonly Record<string, string>[] } };
}

interface Workflow {
  readonly name: string;
  readonly text: string;
  readonly permissions: Record<string, string>;
  readonly jobs: Record<string, Job>;
}

const WORKFLOWS: readonly Workflow[] = await Promise.all(["ci", "nightly", "release"].map(async (name) => {
  const text = await Deno.readTextFile(`${FOLDER}${name}.yml`);
  return { ...parse(text), name, text };
}));

/** The only jobs that may write, and what. Everything else may read the source. */
const RIGHTS: Readonly<Record<string, Record<string, string>>> = {
  "release draft": { contents: "write", "id-token": "write", attestations: "write" },
  "release image": { contents: "read", packages: "write", "id-token": "write", attestations: "write" },
  "release jsr": { contents: "read", "id-token": "write" },
  "release publish": { contents: "write" },
  "release install-script": { contents: "read", attestations: "read" },
  "release package-and-image": { contents: "read", attestations: "read" },
};

Deno.test("workflows may only read, except for the jobs that publish", () => {
  const rights: Record<string, unknown> = {};
  for (const { name, permissions, jobs } of WORKFLOWS) {
    assert.deepEqual(permissions, { contents: "read" }, name);
    for (const [job, { permissions }] of Object.entries(jobs)) if (permissions) rights[`${name} ${job}`] = permissions;
  }
  assert.deepEqual(rights, RIGHTS);
});

Deno.test("every action is pinned by the digest of one commit, next to its version", () => {
  const digests = new Map<string, string>();
  for (const { name, text } of WORKFLOWS) {
    for (const [line, uses] of text.matchAll(/^.*\buses: +([^.\s].*)$/gm)) {
      const [, action, digest] = /^([\w.-]+\/[\w.-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)$/.exec(uses as string) ?? [];
      assert.ok(action && digest, `${name}: ${line}`);
      assert.equal(digests.get(action) ?? digest, digest, `${action} is pinned to two commits`);
      digests.set(action, digest);
    }
  }
  assert.ok(digests.size > 0);
});

Deno.test("no checkout keeps the token, every job has a time limit, and every task exists", () => {
  for (const { name, jobs } of WORKFLOWS) {
    for (const [job, { steps, uses, "timeout-minutes": minutes }] of Object.entries(jobs)) {
      assert.ok(uses === "./.github/workflows/ci.yml" || minutes && steps, `${name} ${job}`);
      for (const { uses, run, with: inputs } of steps ?? []) {
        if (uses?.startsWith("actions/checkout@")) assert.equal(inputs?.["persist-credentials"], false, `${name} ${job}`);
        for (const [, task] of (run ?? "").matchAll(/deno task ([\w:]+)/g)) {
          assert.ok(task && task in config.tasks, `${name} ${job}: ${task}`);
        }
      }
    }
  }
});

Deno.test("nothing is published before all tests, and the package, which is final, comes after everything else that can fail", () => {
  const jobs = WORKFLOWS.find(({ name }) => name === "release")?.jobs ?? {};
  const before = (job: string): string[] => [jobs[job]?.needs ?? []].flat().flatMap((needed) => [...before(needed), needed]);
  assert.equal(jobs["ci"]?.uses, "./.github/workflows/ci.yml");
  assert.deepEqual(before("jsr"), ["check", "ci", "build", "draft", "image"]);
  assert.deepEqual(before("publish").slice(-1), ["jsr"]);
});

Deno.test("a release is built by one runner of each target's platform, and ci runs the executable on each", () => {
  const triples: Record<string, string> = {
    "ubuntu-24.04": "x86_64-unknown-linux-gnu",
    "ubuntu-24.04-arm": "aarch64-unknown-linux-gnu",
    "macos-15-intel": "x86_64-apple-darwin",
    "macos-15": "aarch64-apple-darwin",
    "windows-2025": "x86_64-pc-windows-msvc",
  };
  const runners = WORKFLOWS.find(({ name }) => name === "release")?.jobs["build"]?.strategy?.matrix.runner ?? [];
  assert.deepEqual(runners.map((runner) => triples[runner]), TARGETS.map(({ triple }) => triple));
  // Those of Linux on amd64 are also run by .ci/run.
  const include = WORKFLOWS.find(({ name }) => name === "ci")?.jobs["platforms"]?.strategy?.matrix.include ?? [];
  assert.deepEqual(
    include.map(({ runner, executable }) => [triples[runner as string], executable]).sort(),
    TARGETS.slice(1).map((target) => [target.triple, `${target.triple}/${executableName(target)}`]).sort(),
  );
});

await testWith(
  "actionlint",
  "actionlint accepts the workflows, and refuses one with an unknown runner or a misspelt expression",
  async (actionlint) => {
    const { accepted, output } = await actionlint("-no-color", ...WORKFLOWS.map(({ name }) => `${FOLDER}${name}.yml`));
    assert.ok(accepted, output);
    const folder = await Deno.makeTempDir({ prefix: "kurun-workflow-" });
    const [{ text }] = WORKFLOWS as [Workflow];
    for (const [from, to] of [["windows-2025", "windows-1925"], ["matrix.runner }}", "matrix.runer }}"]] as const) {
      await Deno.writeTextFile(`${folder}/wrong.yml`, text.replaceAll(from, to));
      assert.equal((await actionlint("-no-color", `${folder}/wrong.yml`)).accepted, false, to);
    }
    await Deno.remove(folder, { recursive: true });
  },
);
