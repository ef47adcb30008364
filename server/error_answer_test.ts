import assert from "node:assert/strict";
import { callerProtocol, http1Answer, requestRest } from "./error_answer.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("the first bytes tell what a caller speaks", () => {
  for (const head of ["GET / HTTP/1.1\r\n", "POST /a?b HTTP/1.0\r\n", "M-SEARCH * HTTP/1.1\n"]) {
    assert.equal(callerProtocol(bytes(head)), "http1");
  }
  assert.equal(callerProtocol(bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")), "http2");
  for (const head of ["", "\x16\x03\x01", "SSH-2.0-x\r\n", "GET", "EHLO mail\r\n"]) assert.equal(callerProtocol(bytes(head)), "other");
});

Deno.test("what is left of a request is known from its length, and not waited for where 100-continue is", () => {
  const rest = (head: string, received = head.length) => requestRest(bytes(head), received);
  assert.equal(rest("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
  assert.equal(rest("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n1234"), 6);
  assert.equal(rest("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n1234", 1_000), 0);
  assert.equal(rest("POST / HTTP/1.1\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"), 0);
  assert.equal(rest("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), Infinity);
  assert.equal(rest("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), 0);
  assert.equal(rest("POST / HTTP/1.1\r\nHo"), Infinity);
});

Deno.test("an answer to HEAD has no body, one to text is text, one to JSON a v1.Status", () => {
  const answer = (head: string) => new TextDecoder().decode(http1Answer(bytes(head), 502, "kurun: no"));
  assert.match(answer("HEAD / HTTP/1.1\r\n\r\n"), /Content-Length: 10\r\n[^]*\r\n\r\n$/);
  assert.match(answer("GET / HTTP/1.1\r\nAccept: text/html\r\n\r\n"), /text\/plain[^]*\r\n\r\nkurun: no\n$/);
  assert.match(answer("GET / HTTP/1.1\r\nAccept: application/json, */*\r\n\r\n"), /application\/json[^]*"message":"kurun: no"/);
});
