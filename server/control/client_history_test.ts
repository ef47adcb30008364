import assert from "node:assert/strict";
import type { Hello } from "../../tunnel/mod.ts";
import { ClientHistory } from "./client_history.ts";

function hello(instance: string, who = "alice"): Hello {
  return { version: 1, capabilities: [], session: "s", instance, who, from: "laptop", nonce: "" };
}

/** A history whose clock the test sets, in seconds since 1970. */
function history(): { history: ClientHistory; at: (seconds: number) => void } {
  let now = 0;
  return { history: new ClientHistory(() => new Date(now * 1000)), at: (seconds) => void (now = seconds) };
}

const time = (seconds: number) => new Date(seconds * 1000).toISOString();

Deno.test("before the first client nobody is connected, and since when is null", () => {
  assert.deepEqual(history().history.answer(), { connected: false, since: null });
});

Deno.test("the history says since when a client is connected, and since when none is", () => {
  const { history: past, at } = history();
  at(10);
  past.arrived(hello("i-1"));
  at(20);
  assert.deepEqual(past.answer(), { connected: true, since: time(10) });
  past.left(false);
  at(30);
  past.left(false);
  assert.deepEqual(past.answer(), { connected: false, since: time(20) });
});

Deno.test("an old connection that ends after a newer one began changes nothing", () => {
  const { history: past, at } = history();
  past.arrived(hello("i-1"));
  at(5);
  past.arrived(hello("i-1"));
  at(6);
  past.left(true);
  assert.deepEqual(past.answer(), { connected: true, since: time(5) });
});

Deno.test("a replaced client is recognized when it comes back, and one that only reconnects is admitted", () => {
  const { history: past } = history();
  past.arrived(hello("i-1"));
  past.left(false);
  assert.equal(past.replacedBy(hello("i-1")), undefined);
  past.arrived(hello("i-2", "bob"));
  assert.equal(past.replacedBy(hello("i-1"))?.who, "bob");
  assert.equal(past.replacedBy(hello("i-2")), undefined);
});

Deno.test("the 64 clients that were replaced last are remembered, and no more", () => {
  const { history: past } = history();
  for (let i = 0; i <= 65; i++) past.arrived(hello(`i-${i}`));
  assert.equal(past.replacedBy(hello("i-0")), undefined);
  assert.equal(past.replacedBy(hello("i-1"))?.instance, "i-2");
  assert.equal(past.replacedBy(hello("i-64"))?.instance, "i-65");
});
