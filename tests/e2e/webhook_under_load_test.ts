import assert from "node:assert/strict";
import { runCommand } from "../cluster/commands.ts";
import { ANSWERED_BY, answeringHere, OriginalWebhook } from "./answering_webhook.ts";
import { CreateLoad, NO_API_SERVER } from "./create_load.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, kubectl, printFigure } from "./kubernetes.ts";

const PER_SECOND = 50;
const SESSION_LOST = 4;
/** Only the test cluster's own API server can be killed. */
const FOREIGN = Deno.env.has("KURUN_TEST_KUBECONFIG");

clusterTest("none of 50 creates a second is refused, whatever happens to kurun webhook except its laptop's death", async (namespace) => {
  await using original = await OriginalWebhook.start(namespace);
  await original.configure(namespace.name, [namespace.name]);
  const before = await original.stored();
  await using first = answeringHere("first");
  await using second = answeringHere("second");
  const args = (url: string) => ["webhook", url, "-n", namespace.name, "--config", namespace.name];
  await using load = await CreateLoad.start(namespace.name, PER_SECOND, (annotations) => annotations[ANSWERED_BY] ?? "nobody");
  await load.untilAnsweredBy("original");
  const all: string[] = [];
  const wrong: string[] = [];
  const step = async (what: string, expected: readonly string[]) => {
    const answers = await load.answers();
    all.push(`${what}: ${JSON.stringify(answers)}`);
    for (const [answer, count] of Object.entries(answers)) {
      // An API server that has just started does not know all Services yet, and refuses whatever a webhook is asked about.
      const starting = answer.startsWith(NO_API_SERVER) || /service "[^"]+" not found$/.test(answer);
      const kind = starting ? NO_API_SERVER : answer;
      if (!expected.includes(kind)) wrong.push(`${what}: ${count} × ${answer}`);
    }
  };
  try {
    await using kurun = await KurunProcess.startOn("desk-7", args(first.url)).answering();
    await load.untilAnsweredBy("first");
    // A create that the original is answering at the moment of the switch is then answered by the copy too.
    await step("start", ["original", "first", "original,first"]);
    await using other = await KurunProcess.startOn("desk-8", [...args(second.url), "--takeover"]).answering();
    await load.untilAnsweredBy("second");
    assert.equal(await kurun.ended(), SESSION_LOST, kurun.stderr);
    await step("--takeover", ["first", "second", "original", "original,second"]);
    await kubectl(["delete", "pod", "-l", "kurun.dev/session", "-n", namespace.name]);
    await load.untilAnsweredBy("second");
    await step("Pod deletion", ["second"]);
    const { code, stderr } = await KurunProcess.run(["stop", "--all", "--force", "-n", namespace.name]);
    assert.equal(code, 0, stderr);
    assert.equal(await other.ended(), SESSION_LOST, other.stderr);
    await load.untilAnsweredBy("original");
    await step("stop", ["second", "original"]);
    assert.deepEqual(await original.stored(), before);
    await using again = await KurunProcess.start(args(first.url)).answering();
    await load.untilAnsweredBy("first");
    await step("start again", ["original", "first", "original,first"]);
    if (!FOREIGN) {
      const { code, said } = await runCommand(["onenode", "restart", "kube-apiserver"]);
      assert.equal(code, 0, said);
      await load.untilAnsweredBy("first", 60_000);
      await step("API server restart", ["first", NO_API_SERVER]);
    }
    again.signal("SIGINT");
    assert.equal(await again.ended(), 0, again.stderr);
    await load.untilAnsweredBy("original");
    await step("Ctrl+C", ["first", "original"]);
    assert.deepEqual(await original.stored(), before);
  } finally {
    printFigure(all.join("\n"));
  }
  assert.deepEqual(wrong, []);
});
