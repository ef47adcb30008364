import assert from "node:assert/strict";
import { age } from "./age.ts";

Deno.test("an age is written as kubectl writes it", () => {
  const texts: Record<string, number> = {
    "0s": -5,
    "119s": 119,
    "2m": 120,
    "3m12s": 192,
    "9m30s": 570,
    "10m": 620,
    "179m": 179 * 60,
    "3h": 180 * 60,
    "5h7m": 307 * 60,
    "8h": 8 * 3600 + 60,
    "47h": 47 * 3600,
    "2d": 48 * 3600,
    "2d4h": 52 * 3600,
    "9d": 9 * 86400 + 7200,
  };
  for (const [text, seconds] of Object.entries(texts)) assert.equal(age(seconds * 1000), text);
});
