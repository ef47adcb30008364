import assert from "node:assert/strict";
import { ApiError } from "../k8s/api/api_error.ts";
import { SessionGoneError } from "../k8s/session/session.ts";
import { describeError } from "./describe_error.ts";
import { ExitCode, SessionLostError } from "./command/errors.ts";
import { NeverStartedError } from "./run/run_end.ts";
import { RightsLostError } from "./session/keep_session.ts";
import { ReplacedError } from "./session/tunnel_link.ts";

const refused = new ApiError("user ann cannot get services/proxy", { status: 403, reason: "Forbidden" });

Deno.test("a session that is lost for good has its own exit code, whatever took it away", () => {
  const lost: [Error, RegExp][] = [
    [new RightsLostError(refused.message), /^error: the right to keep the session was taken away: .*cannot get services\/proxy$/],
    [new SessionLostError(refused), /^Error from server \(Forbidden\): .*cannot get services\/proxy$/],
    [new SessionGoneError("session a has ended: somebody deleted it", false), /^error: session a has ended: somebody deleted it$/],
    [new ReplacedError("replaced by bob from desk"), /^error: replaced by bob from desk$/],
  ];
  for (const [error, says] of lost) {
    const { text, exitCode } = describeError(error);
    assert.match(text, says);
    assert.equal(exitCode, ExitCode.sessionLost);
  }
  assert.equal(describeError(refused).exitCode, ExitCode.cluster);
  assert.deepEqual(describeError(new NeverStartedError(lost[0]![0])), { ...describeError(lost[0]![0]), exitCode: ExitCode.neverStarted });
});
