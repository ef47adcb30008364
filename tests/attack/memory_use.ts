import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | undefined;

/** The memory in use after a full garbage collection, objects and buffers, in MiB. */
export async function memoryInUse(): Promise<number> {
  if (!collect) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
  }
  const { heapUsed, external } = Deno.memoryUsage();
  return (heapUsed + external) / 1024 / 1024;
}

/** A test that measures memory. Deno before 2.8 cannot trigger a collection. */
export function memoryTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, ignore: Number(Deno.version.deno.split(".")[1]) < 8 });
}
