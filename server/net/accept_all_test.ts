import assert from "node:assert/strict";
import { acceptAll } from "./accept_all.ts";

Deno.test("connections that were reset while they waited delay nobody", async () => {
  const served: string[] = [];
  const waiting = [...Array(100).fill(new Deno.errors.NotConnected()), "honest", new Deno.errors.BadResource()];
  const listener = {
    accept() {
      const next = waiting.shift();
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
  };
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await acceptAll(listener, (name: string) => Promise.resolve(void served.push(name)));
  clearInterval(timer);
  assert.deepEqual(served, ["honest"]);
  // A pause for each would take 10 s, and other timers would run meanwhile.
  assert.equal(turns, 0);
});
