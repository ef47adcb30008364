import assert from "node:assert/strict";
import { awayLine } from "./forward.ts";

Deno.test("one line says what callers get without a connection, and when the session is deleted", () => {
  const plan = { holdMs: 3_000, ttlSeconds: 120 };
  assert.equal(
    awayLine(plan, false),
    "If kurun loses its connection, callers get 503 after 3 s. If it does not return within 2m, everything it created is deleted.",
  );
  assert.equal(
    awayLine({ ...plan, fallback: "allow" }, false),
    "If kurun loses its connection, admission requests are allowed with a warning after 3 s, others get 503. " +
      "If it does not return within 2m, everything it created is deleted.",
  );
  assert.equal(
    awayLine({ holdMs: 0, ttlSeconds: 0 }, true),
    "If kurun loses its connection, callers are disconnected at once. What it created stays until it is deleted (--ttl 0).",
  );
});
