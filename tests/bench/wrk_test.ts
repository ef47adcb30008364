import assert from "node:assert/strict";
import { readWrk } from "./wrk.ts";

const PRINTED = `Running 1s test @ http://127.0.0.1:1/
  2 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     9.61ms   18.30ms   1.05s    98.53%
    Req/Sec     3.36k   512.50     4.10k    70.00%
  Latency Distribution
     50%  846.00us
     75%    9.10ms
     90%   11.94ms
     99%    1.05s 
  33434 requests in 5.01s, 5.42MB read
Requests/sec:   6674.96
Transfer/sec:      1.08MB
`;

Deno.test("wrk's latencies are read in milliseconds, whatever their units", () => {
  assert.deepEqual(readWrk(PRINTED), { perSecond: 6674.96, p50: 0.846, p99: 1050, errors: undefined });
});

Deno.test("errors under wrk are reported with its figures", () => {
  const failed = "  Socket errors: connect 0, read 3, write 0, timeout 12\n  Non-2xx or 3xx responses: 4\n";
  const { errors } = readWrk(PRINTED.replace("Requests/sec", `${failed}Requests/sec`));
  assert.equal(errors, "Socket errors: connect 0, read 3, write 0, timeout 12, Non-2xx or 3xx responses: 4");
});

Deno.test("a run without any answer says so", () => {
  assert.equal(readWrk(PRINTED.replace("6674.96", "0.00")).errors, "no answer in time");
});

Deno.test("text that is not wrk's output is refused", () => {
  assert.throws(() => readWrk("unable to connect to 127.0.0.1:1 Connection refused\n"), /wrk printed no/);
});
