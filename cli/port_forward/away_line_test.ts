import assert from "node:assert/strict";
import { awayLine } from "./away_line.ts";

Deno.test("one line says what callers get while this machine is away, and what becomes of the session", () => {
  const plan = { holdMs: 3_000, ttlSeconds: 120 };
  assert.equal(awayLine(plan, false), "While this machine is away, callers get 503 after 3 s; the session is removed after 120 s");
  assert.equal(
    awayLine({ ...plan, fallback: "allow" }, false),
    "While this machine is away, admission requests are allowed with a warning after 3 s, and others get 503; " +
      "the session is removed after 120 s",
  );
  assert.equal(
    awayLine({ holdMs: 0, ttlSeconds: 0 }, true),
    "While this machine is away, callers are disconnected at once; the session stays until it is removed (--ttl 0)",
  );
});
