/**
 * What is left of `kurun webhook` after kill -9. KURUN_WEBHOOK_KILLS sets how often it is killed, KURUN_WEBHOOK_TTL its ttl in seconds, and
 * KURUN_WEBHOOK_SEED repeats a run.
 *
 * @module
 */
import assert from "node:assert/strict";
import { SeededRandom } from "../seeded_random.ts";
import { ANSWERED_BY, answeringHere, OriginalWebhook } from "./answering_webhook.ts";
import { CreateLoad } from "./create_load.ts";
import { KurunProcess } from "./kurun_process.ts";
import { clusterTest, printFigure, TestNamespace } from "./kubernetes.ts";

const KILLS = Number(Deno.env.get("KURUN_WEBHOOK_KILLS") ?? 4);
/** Killed at the same time: two cores do not start more of them in a normal time. */
const AT_ONCE = 4;
const TTL_S = Number(Deno.env.get("KURUN_WEBHOOK_TTL") ?? 5);
const CLEAN_UP_S = 15;
/** No start takes longer than this many of them at the same time. */
const LATEST_MS = { start: 6_000, forwarding: 3_000, end: 1_500 };
type Moment = keyof typeof LATEST_MS;

/** One kill, and what came after it. */
interface Killed {
  readonly moment: Moment;
  readonly afterMs: number;
  /** Until the last refused create, in milliseconds. */
  readonly refusedUntilMs: number;
}

/** Kills a kurun that answers for a namespace of its own instead of the original. */
async function killOne(original: OriginalWebhook, url: string, moment: Moment, afterMs: number): Promise<Killed> {
  await using namespace = await TestNamespace.create();
  await original.configure(namespace.name, [namespace.name]);
  const before = await original.stored(namespace.name);
  const args = ["webhook", url, "-n", namespace.name, "--config", namespace.name, "--ttl", `${TTL_S}s`];
  await using load = await CreateLoad.start(namespace.name, 5, (annotations) => annotations[ANSWERED_BY] ?? "nobody");
  const kurun = KurunProcess.start(args);
  if (moment !== "start") await kurun.answering();
  if (moment === "end") kurun.signal("SIGINT");
  const ended = await Promise.race([kurun.exit, new Promise<void>((resolve) => setTimeout(resolve, afterMs))]);
  const killedAt = performance.now();
  if (ended === undefined) kurun.signal("SIGKILL");
  await kurun.exit;
  await new Promise((resolve) => setTimeout(resolve, (TTL_S + CLEAN_UP_S) * 1000));
  const refusedUntilMs = Math.max(0, load.lastRefusal - killedAt);
  await load.answers();
  await load.untilAnsweredBy("original");
  assert.deepEqual(Object.keys(await load.answers()), ["original"], `${moment} + ${afterMs} ms`);
  // Half of the users clean up, and half just start again.
  if (afterMs % 2 === 0) {
    const { code, stderr } = await KurunProcess.run(["cleanup", "-n", namespace.name]);
    assert.equal(code, 0, stderr);
  } else {
    await using next = await KurunProcess.start(args).answering();
    await load.untilAnsweredBy("here");
    next.signal("SIGINT");
    assert.equal(await next.ended(), 0, next.stderr);
  }
  const after = await original.stored(namespace.name);
  assert.equal(after.text, before.text, `${moment} + ${afterMs} ms`);
  assert.equal(after.managedFields, before.managedFields, `${moment} + ${afterMs} ms`);
  assert.deepEqual(await namespace.leftOfKurun(), []);
  return { moment, afterMs, refusedUntilMs };
}

clusterTest("kill -9 of kurun webhook refuses nothing after its ttl plus 15 s, and can be undone byte for byte", async (namespace) => {
  const seed = Number(Deno.env.get("KURUN_WEBHOOK_SEED") ?? Date.now() % 1e6);
  printFigure(`KURUN_WEBHOOK_SEED=${seed}`);
  const random = new SeededRandom(seed);
  const moments = Object.keys(LATEST_MS) as Moment[];
  await using original = await OriginalWebhook.start(namespace);
  await using here = answeringHere("here");
  const due = Array.from({ length: KILLS }, (_, n) => {
    const moment = moments[n % moments.length] as Moment;
    return { moment, afterMs: random.below(LATEST_MS[moment]) };
  });
  while (due.length > 0) {
    const killed = await Promise.all(due.splice(0, AT_ONCE).map(({ moment, afterMs }) => killOne(original, here.url, moment, afterMs)));
    for (const { moment, afterMs, refusedUntilMs } of killed) {
      printFigure(`killed ${afterMs} ms after ${moment}: creates refused for ${(refusedUntilMs / 1000).toFixed(1)} s`);
    }
  }
});
