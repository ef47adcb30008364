import assert from "node:assert/strict";
import { SessionEndedError, StreamResetError } from "../../tunnel/mod.ts";
import { Traffic } from "./traffic.ts";
import { CallerWatch } from "./watch_caller.ts";

const FROM = { port: 8444, from: "10.0.0.1:5" };
const bytes = (text: string) => new TextEncoder().encode(text);

/** A caller that asked, and got `answer`; watched until `end` says how it was over. */
function watch(verbose: boolean, answer: string, end: (watch: CallerWatch) => void): { lines: string[]; traffic: Traffic } {
  const lines: string[] = [];
  const traffic = new Traffic();
  const caller = new CallerWatch({ verbose, traffic, say: (line) => lines.push(line), now: () => 0 }, FROM);
  assert.equal(traffic.open, 1);
  caller.relayWatch?.forth(bytes("GET /a HTTP/1.1\r\n\r\n"));
  if (answer !== "") caller.relayWatch?.back(bytes(answer));
  end(caller);
  assert.equal(traffic.open, 0);
  return { lines, traffic };
}

const ended = (error?: Error) => (caller: CallerWatch) => caller.ended({ forth: 0, back: 0, ...(error ? { error } : {}) });
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

for (
  const [name, answer, end, lines, lastError] of [
    ["a 200", ok, ended(), ["GET /a 200 0B 0.0ms 10.0.0.1:5"], undefined],
    ["a 500", ok.replace("200 OK", "500 No"), ended(), ["GET /a 500 0B 0.0ms 10.0.0.1:5"], "GET /a 500"],
    ["a caller that left", "", ended(new StreamResetError("gone")), ["GET /a - 0B 0.0ms 10.0.0.1:5 caller left"], undefined],
    ["a lost tunnel", "", ended(new SessionEndedError("gone")), ["GET /a - 0B 0.0ms 10.0.0.1:5 connection to the cluster lost"], undefined],
    ["a program that broke", "", ended(new Error("ECONNRESET")), ["GET /a - 0B 0.0ms 10.0.0.1:5 reset"], "GET /a reset"],
    [
      "a refusal",
      "",
      (caller: CallerWatch) => caller.refused("it refused"),
      ["GET /a 502 0B 0.0ms 10.0.0.1:5 refused: it refused"],
      "it refused",
    ],
  ] as const
) {
  Deno.test(`with -v ${name} is a line, and an error where it is one`, () => {
    const seen = watch(true, answer, end);
    assert.deepEqual(seen.lines, lines);
    assert.equal(seen.traffic.requests, 1);
    assert.equal(seen.traffic.lastError, lastError);
    assert.equal(seen.traffic.errors, lastError === undefined ? 0 : 1);
  });
}

Deno.test("without -v no byte is looked at, and only a refusal is told", () => {
  const quiet = watch(false, "", ended(new Error("ECONNRESET")));
  assert.deepEqual(quiet.lines, []);
  assert.deepEqual([quiet.traffic.requests, quiet.traffic.errors], [undefined, 1]);
  assert.deepEqual(watch(false, "", (caller) => caller.refused("it refused")).lines, ["10.0.0.1:5: it refused"]);
});
