import assert from "node:assert/strict";
import { SessionEndedError, StreamResetError } from "../../tunnel/mod.ts";
import { NobodyConnectedError } from "./caller.ts";
import { RefusedError } from "./dialed_stream.ts";
import { connectionLine } from "./request_port.ts";

const CALLER = { from: "10.0.0.1:5", port: 8444 };

Deno.test("a connection's line says caller, port, ALPN, bytes each way and milliseconds", () => {
  assert.equal(
    connectionLine(CALLER, { forth: 312, back: 1_204 }, 3.42),
    "caller=10.0.0.1:5 port=8444 alpn=- in=312 out=1204 ms=3.4 end=closed",
  );
  assert.match(connectionLine({ ...CALLER, alpn: "h2" }, { forth: 0, back: 0 }, 1), / alpn=h2 /);
});

for (
  const [error, end] of [
    [new NobodyConnectedError(), "503 nobody connected"],
    [new RefusedError("it refused\nthe connection"), "502 it refused the connection"],
    [new SessionEndedError("Wi-Fi"), "client lost"],
    [new StreamResetError("The other side reset the stream"), "reset by the client"],
    [new Error("read ECONNRESET"), "caller left: read ECONNRESET"],
  ] as const
) {
  Deno.test(`a connection's line says how it ended: ${end}`, () => {
    assert.ok(connectionLine(CALLER, { forth: 0, back: 0, error }, 1).endsWith(` end=${end}`));
  });
}
