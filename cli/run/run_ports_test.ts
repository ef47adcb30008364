import assert from "node:assert/strict";
import { UserError } from "../command/errors.ts";
import { forwardPorts } from "./run_ports.ts";

const client = { openPort: () => Promise.reject(new Error("not connected")) };

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test(`a port that another program has on ${hostname} is refused, and none is kept`, () => {
    using taken = Deno.listen({ hostname, port: 0 });
    const { port } = taken.addr;
    assert.throws(() => forwardPorts([{ local: port, remote: 80 }], client, () => {}, new AbortController().signal), (error) => {
      return error instanceof UserError && error.message.startsWith(`-p: cannot listen on port ${port} of this machine (${hostname}): `);
    });
    Deno.listen({ hostname: hostname === "::1" ? "127.0.0.1" : "::1", port }).close();
  });
}
