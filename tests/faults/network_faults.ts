/** Faults of the network between the client and the API server. */
import { type BodyOutcome, readBody } from "./body_caller.ts";
import { apiServer } from "./api_server.ts";
import type { Fault } from "./fault.ts";
import { PacketPath } from "./packet_path.ts";
import { pause, type Stage } from "./stage.ts";
import { TcpRelay } from "./tcp_relay.ts";

const BACK_MS = 3_000;
const BODIES = 10;
const CUTS = 200;
const CUT_EVERY_MS = 250;

/** @see Fault */
export const networkFaults: readonly Fault[] = [
  {
    name: "the connection is cut in the middle of bodies",
    says: `503 for requests in flight; answers that have begun end in a reset and never look complete; answered again within ${
      BACK_MS / 1000
    } s`,
    maySee: ["503 lost", "503 nobody"],
    holdMs: 3_000,
    run: async (stage) => {
      const relay = await throughRelay(stage);
      const host = await stage.namespace.address();
      const whole = await readBody(host, "whole", 4);
      stage.check(whole === "whole", `a body before the fault: ${whole}`);
      const bodies = Array.from({ length: BODIES }, (_, number) => readBody(host, `cut-${number}`, 100));
      await pause(1_000);
      const faultAt = performance.now();
      relay.cut();
      const outcomes = await Promise.all(bodies);
      stage.check(outcomes.every((outcome) => outcome === "reset"), `bodies: ${tally(outcomes)}`);
      await stage.flow.untilAnswered(15_000);
      return { faultAt, again: { since: faultAt, withinMs: BACK_MS } };
    },
  },
  {
    name: `the connection is cut ${CUTS} times in a row`,
    says: `503 for some requests; answered again within ${BACK_MS / 1000} s of the last cut`,
    maySee: ["503 lost", "503 nobody"],
    holdMs: 3_000,
    run: async (stage) => {
      const relay = await throughRelay(stage);
      const faultAt = performance.now();
      let cut = 0;
      for (let i = 0; i < CUTS; i++) {
        await pause(faultAt + i * CUT_EVERY_MS - performance.now());
        cut += relay.cut();
      }
      const since = performance.now();
      await stage.flow.untilAnswered(15_000);
      return { faultAt, again: { since, withinMs: BACK_MS }, figures: { "connections that were cut": cut } };
    },
  },
  {
    name: "packets to and from the API server are dropped for 10 s",
    says: `503 meanwhile; answered again within ${BACK_MS / 1000} s once packets pass`,
    maySee: ["503 lost", "503 nobody"],
    holdMs: 3_000,
    run: (stage) => lose(stage, [["drop", 10_000]]),
  },
  {
    name: "packets to and from the API server are dropped for 5 s, then rejected for 5 s",
    says: `503 meanwhile; answered again within ${BACK_MS / 1000} s once packets pass`,
    maySee: ["503 lost", "503 nobody"],
    holdMs: 3_000,
    run: (stage) => lose(stage, [["drop", 5_000], ["reject", 5_000]]),
  },
];

async function throughRelay(stage: Stage): Promise<TcpRelay> {
  const relay = stage.keep(new TcpRelay((await apiServer()).url));
  await stage.start({ args: ["--kubeconfig", await stage.throughPort(relay.port)] });
  return relay;
}

async function lose(stage: Stage, phases: readonly (readonly ["drop" | "reject", number])[]) {
  const path = stage.keep(await PacketPath.open((await apiServer()).url));
  await stage.start({ args: ["--kubeconfig", await stage.throughPort(path.port)] });
  const faultAt = performance.now();
  for (const [rule, ms] of phases) {
    await path.set(rule);
    await pause(ms);
  }
  await path.set("pass");
  const since = performance.now();
  await stage.flow.untilAnswered(20_000);
  return { faultAt, again: { since, withinMs: BACK_MS } };
}

function tally(outcomes: readonly BodyOutcome[]): string {
  return [...new Set(outcomes)].map((outcome) => `${outcomes.filter((other) => other === outcome).length} ${outcome}`).join(", ");
}
