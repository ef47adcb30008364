import assert from "node:assert/strict";
import { Command } from "commander";
import { addApplyFlags, type ApplyFlags, applyFlags } from "./apply_flags.ts";
import { UserError } from "../command/errors.ts";

function parse(...words: string[]): ApplyFlags {
  const command = addApplyFlags(new Command("apply").exitOverride().configureOutput({ writeErr() {}, writeOut() {} }));
  command.parse(words, { from: "user" });
  return applyFlags(command.opts());
}

function refused(...words: string[]): string {
  try {
    parse(...words);
  } catch (error) {
    assert.ok(error instanceof UserError, `${words}: ${error}`);
    return error.message;
  }
  assert.fail(`${words.join(" ")} is taken`);
}

Deno.test("the defaults are strict validation and the field manager kurun", () => {
  assert.deepEqual(parse(), {
    fieldManager: "kurun",
    force: false,
    validation: "Strict",
    dryRun: undefined,
    diff: false,
    output: undefined,
    showManagedFields: false,
    wait: false,
    timeoutMs: 300_000,
    applySet: undefined,
    watch: false,
  });
});

Deno.test("the flags of kubectl apply are accepted", () => {
  assert.equal(parse("--server-side", "--force-conflicts", "--field-manager=me").fieldManager, "me");
  assert.deepEqual(["true", "false", "warn"].map((how) => parse(`--validate=${how}`).validation), ["Strict", "Ignore", "Warn"]);
  assert.equal(parse("--prune", "--applyset=shop").applySet, "shop");
});

Deno.test("an unsupported flag of kubectl is refused by name, with what to do instead", () => {
  for (
    const words of [
      ["-k", "folder"],
      ["--kustomize=folder"],
      ["-l", "a=b"],
      ["--selector=a=b"],
      ["--all"],
      ["--force"],
      ["--cascade=orphan"],
      ["--grace-period=0"],
      ["--overwrite"],
      ["--openapi-patch"],
      ["--prune-allowlist=core/v1/Pod"],
      ["--subresource=status"],
      ["--template={}"],
      ["--record"],
    ]
  ) {
    const name = { "-k": "--kustomize", "-l": "--selector" }[words[0]!] ?? words[0]!.replace(/=.*/, "");
    assert.ok(refused(...words).startsWith(`kurun apply does not support ${name}: `), refused(...words));
  }
});

Deno.test("flags that contradict each other are refused", () => {
  assert.match(refused("--prune"), /^--prune needs --applyset NAME/);
  assert.match(refused("--applyset=a"), /^--applyset needs --prune/);
  assert.match(refused("--prune", "--applyset=Deployment/a"), /^--applyset must be NAME, .*, got Deployment\/a$/);
  assert.match(refused("--watch", "--diff"), /^--watch cannot be combined with --diff/);
  assert.match(refused("--wait", "--dry-run=server"), /^--wait cannot be combined with --dry-run/);
  assert.match(refused("--diff", "-o", "yaml"), /^--diff and -o cannot be combined/);
  assert.match(refused("--show-managed-fields"), /^--show-managed-fields needs -o yaml/);
});
