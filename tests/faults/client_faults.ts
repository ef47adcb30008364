/** Faults of the client: it is killed or stopped. */
import { KurunProcess } from "../e2e/kurun_process.ts";
import type { Fault } from "./fault.ts";
import { WHILE_IT_GOES } from "./flow_records.ts";
import { pause, type Stage } from "./stage.ts";

const STEADY_REQUESTS = 3_000;
const TTL_S = 10;
/** How long the cluster's controllers take after the session's deadline. */
const CLEAN_UP_MS = 15_000;
/** How long a new session takes, including its Pod's start. */
const ANEW_MS = 15_000;
/** How long it takes to answer again once the laptop is back. */
const BACK_MS = 3_000;

/** @see Fault */
export const clientFaults: readonly Fault[] = [
  {
    name: "nothing happens",
    says: `none of ${STEADY_REQUESTS.toLocaleString("en-US")} requests fails`,
    maySee: [],
    holdMs: 3_000,
    run: async (stage) => {
      await stage.start();
      const faultAt = performance.now();
      while (stage.flow.records.length < STEADY_REQUESTS) await pause(100);
      return { faultAt };
    },
  },
  {
    name: "the client is killed (kill -9)",
    says: `503 until the session ends, refused connections while it ends; nothing is left after its ttl (${TTL_S} s here) plus ${
      CLEAN_UP_MS / 1000
    } s`,
    maySee: WHILE_IT_GOES,
    holdMs: 3_000,
    run: async (stage) => {
      await stage.start({ args: ["--ttl", `${TTL_S}s`] });
      const faultAt = await kill(stage);
      const limit = TTL_S * 1000 + CLEAN_UP_MS;
      await stage.flowUntilServiceGone(limit);
      const left = await stage.untilGone(limit - (performance.now() - faultAt));
      stage.check(left.length === 0, `left ${limit / 1000} s after kill -9: ${left.join(", ")}`);
      return { faultAt, figures: { "until nothing was left": performance.now() - faultAt } };
    },
  },
  {
    name: "the client is killed (kill -9) and started again",
    says: "503 while no client is connected; answered again within 5 s of the start",
    maySee: ["503 lost", "503 nobody"],
    holdMs: 3_000,
    run: async (stage) => {
      await stage.start();
      const faultAt = await kill(stage);
      await pause(1_000);
      const since = performance.now();
      stage.kurun = KurunProcess.start(stage.portForward(stage.upstream));
      await stage.flow.untilAnswered(15_000);
      return { faultAt, again: { since, withinMs: 5_000 } };
    },
  },
  {
    name: "the client is stopped for 30 s (SIGSTOP) and continues",
    says: `503 while it is stopped; answered again within ${BACK_MS / 1000} s`,
    maySee: ["503 lost", "503 nobody"],
    holdMs: 3_000,
    run: async (stage) => {
      await stage.start();
      const faultAt = performance.now();
      stage.kurun.signal("SIGSTOP");
      await pause(30_000);
      stage.kurun.signal("SIGCONT");
      const since = performance.now();
      await stage.flow.untilAnswered(15_000);
      return { faultAt, again: { since, withinMs: BACK_MS } };
    },
  },
  {
    name: "the client is stopped for longer than its session lives, and continues",
    says: "503 until the session ends; the client creates a new one under the same name, and requests are answered again within 15 s",
    maySee: WHILE_IT_GOES,
    holdMs: 3_000,
    run: async (stage) => {
      const ttlSeconds = 5;
      await stage.start({ args: ["--ttl", `${ttlSeconds}s`] });
      const faultAt = performance.now();
      stage.kurun.signal("SIGSTOP");
      await stage.flowUntilServiceGone(ttlSeconds * 1000 + CLEAN_UP_MS);
      const left = await stage.untilGone(ttlSeconds * 1000 + CLEAN_UP_MS);
      stage.check(left.length === 0, `left after the ttl: ${left.join(", ")}`);
      stage.kurun.signal("SIGCONT");
      const since = performance.now();
      await stage.kurun.waitFor(/^Forwarding again, as session /m, ANEW_MS);
      await stage.startFlow();
      const first = stage.flow.records.find(({ saw }) => saw === "answered")?.endedAt ?? Infinity;
      stage.check(first - since <= ANEW_MS, `answered again ${Math.round(first - since)} ms after SIGCONT`);
      return { faultAt, figures: { "until answered by a new session": first - since } };
    },
  },
];

async function kill(stage: Stage): Promise<number> {
  const at = performance.now();
  stage.kurun.signal("SIGKILL");
  await stage.kurun.exit;
  return at;
}
