import assert from "node:assert/strict";
import { plainText } from "./plain_text.ts";

Deno.test("a text from elsewhere cannot move the cursor, colour the screen or set its title; its lines and letters stay", () => {
  assert.equal(
    plainText("\u001b[2Jdenied by \u009b31mpolicy\r\n\u001b]0;title\u0007zwölf\tcafé 日本"),
    "[2Jdenied by 31mpolicy\n]0;titlezwölfcafé 日本",
  );
});
