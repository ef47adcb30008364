import assert from "node:assert/strict";
import { guessHowAsked, http1Answer } from "./error_answer.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("an answer to HEAD has no body, one to text is text, one to JSON a v1.Status", () => {
  const answer = (head: string) => new TextDecoder().decode(http1Answer(guessHowAsked(bytes(head))!, 502, "kurun: no"));
  assert.match(answer("HEAD / HTTP/1.1\r\n\r\n"), /Content-Length: 10\r\n[^]*\r\n\r\n$/);
  assert.match(answer("GET / HTTP/1.1\r\nAccept: text/html\r\n\r\n"), /text\/plain[^]*\r\n\r\nkurun: no\n$/);
  assert.match(answer("GET / HTTP/1.1\r\nAccept: application/json, */*\r\n\r\n"), /application\/json[^]*"message":"kurun: no"/);
});
