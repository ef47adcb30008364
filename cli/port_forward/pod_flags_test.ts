import assert from "node:assert/strict";
import { UserError } from "../command/errors.ts";
import { parsePort } from "../command/flag_values.ts";
import { parseLabels, podWishes } from "./pod_flags.ts";

Deno.test("labels are key=value, with a prefix or without, as often as wanted", () => {
  assert.deepEqual(parseLabels(["app=web", "example.com/tier=A_1.b", "app=web"]), { app: "web", "example.com/tier": "A_1.b" });
});

for (
  const [texts, rule] of [
    [["a=b=c"], /--label "a=b=c" is not a valid label: a value has at most 63 letters, digits, -, _ and \., and starts and ends/],
    [["app"], /write key=value/],
    [[""], /write key=value/],
    [["app="], /its value is empty/],
    [["=x"], /a key has at most 63 letters/],
    [["-app=x"], /a key has at most 63 letters/],
    [["app=x y"], /a value has at most 63 letters/],
    [["app=x-"], /a value has at most 63 letters/],
    [[`app=${"x".repeat(64)}`], /at most 63/],
    [["Bad_Prefix/app=x"], /before \/ must be a lower-case DNS name/],
    [["kurun.dev/session=x"], /kurun or the cluster sets kurun\.dev\/session/],
    [["pod-template-hash=x"], /kurun or the cluster sets pod-template-hash/],
    [["app=a", "app=b"], /app is already set to a/],
  ] as const
) {
  Deno.test(`--label ${texts.join(" --label ")} is refused, naming the rule`, () => {
    assert.throws(() => parseLabels(texts), (error) => error instanceof UserError && error.exitCode === 2 && rule.test(error.message));
  });
}

Deno.test("overrides are read from JSON, from YAML and from a file of either", async () => {
  const wanted = { nodeSelector: { disk: "ssd" } };
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(file, "nodeSelector:\n  disk: ssd\n");
  for (const serverOverrides of [JSON.stringify(wanted), "nodeSelector: {disk: ssd}", `@${file}`]) {
    assert.deepEqual((await podWishes({ serverOverrides })).podPatch, wanted);
  }
  await Deno.remove(file);
});

for (
  const [options, sentence] of [
    [{ serverOverrides: "{" }, /^--server-overrides is neither JSON nor YAML/],
    [{ serverOverrides: "@/no/such/file" }, /^--server-overrides: cannot read \/no\/such\/file: /],
    [{ serverOverrides: "just words" }, /^--server-overrides: it must be an object/],
    [{ serverOverrides: "volumes: []" }, /^--server-overrides: volumes cannot be overridden/],
    [{ imagePullSecret: "Bad" }, /^--image-pull-secret Bad is not a valid Secret name/],
  ] as const
) {
  Deno.test(`${JSON.stringify(options)} is refused before anything is made`, async () => {
    await assert.rejects(podWishes(options), (error) => error instanceof UserError && error.exitCode === 2 && sentence.test(error.message));
  });
}

for (const text of ["0", "65536", "-1", "8e3", "x", ""]) {
  Deno.test(`"${text}" is not a port`, () => assert.throws(() => parsePort("--pod-port", text), /--pod-port must be 1 to 65535, got/));
}
