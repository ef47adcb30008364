/** Faults of the clock: the laptop's differs from the node's. Only the difference matters to kurun, so the laptop's is the one changed. */
import { findProgram, isFile } from "../cluster/commands.ts";
import type { Fault } from "./fault.ts";
import { pause, type Stage } from "./stage.ts";

/** Debian's libfaketime gives one process another time of day and leaves its timers alone. */
const LIBRARIES = ["x86_64", "aarch64"].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`);
const TTL_S = 6;
const WATCHED_MS = 15_000;

/** @see Fault */
export const clockFaults: readonly Fault[] = [
  ...([["3 days ahead of", "+3d"], ["50 minutes behind", "-50m"]] as const).map(([words, offset]): Fault => ({
    name: `the laptop's clock is ${words} the cluster's`,
    says: `nothing, even after the session's ttl (${TTL_S} s here); Ctrl+C removes everything`,
    maySee: [],
    holdMs: 3_000,
    run: async (stage) => {
      await startAt(stage, offset);
      const faultAt = performance.now();
      await pause(WATCHED_MS);
      return { faultAt };
    },
  })),
  {
    name: "the laptop's clock jumps an hour ahead and 50 minutes back while it forwards",
    says: `nothing, even after the session's ttl (${TTL_S} s here); Ctrl+C removes everything`,
    maySee: [],
    holdMs: 3_000,
    run: async (stage) => {
      const clock = await startAt(stage, "+0");
      const faultAt = performance.now();
      for (const offset of ["+1h", "-50m"]) {
        await Deno.writeTextFile(clock, offset);
        await pause(WATCHED_MS / 2);
      }
      return { faultAt };
    },
  },
];

/** Starts kurun with another clock. @returns the file that holds the offset of its clock */
async function startAt(stage: Stage, offset: string): Promise<string> {
  const clock = await Deno.makeTempFile({ prefix: "kurun-clock-" });
  stage.keep({ [Symbol.asyncDispose]: () => Deno.remove(clock) });
  await Deno.writeTextFile(clock, offset);
  await stage.start({
    args: ["--ttl", `${TTL_S}s`],
    env: {
      LD_PRELOAD: await library(),
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
  });
  return clock;
}

async function library(): Promise<string> {
  for (const path of LIBRARIES) if (await isFile(path)) return path;
  throw new Error(`libfaketime was not found${await findProgram("apt-get") ? ": apt-get install faketime" : ""}`);
}
