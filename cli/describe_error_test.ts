import assert from "node:assert/strict";
import { ApiError } from "../k8s/api/api_error.ts";
import { SessionGoneError } from "../k8s/session/session.ts";
import { sourceFiles } from "../tests/source_files.ts";
import { describeError } from "./describe_error.ts";
import { ExitCode, ExitError } from "./command/errors.ts";
import { RightsLostError } from "./session/keep_session.ts";
import { ReplacedError } from "./session/tunnel_link.ts";

const refused = new ApiError("user ann cannot get services/proxy", { status: 403, reason: "Forbidden" });

Deno.test("a session that is lost for good has its own exit code, whatever took it away", () => {
  const lost: [Error, RegExp][] = [
    [new RightsLostError(refused.message), /^error: the right to renew the session was revoked: .*cannot get services\/proxy$/],
    [new ExitError(ExitCode.sessionLost, refused), /^Error from server \(Forbidden\): .*cannot get services\/proxy$/],
    [
      new SessionGoneError("session a has ended: it was deleted in the cluster, for instance by kurun stop", false),
      /^error: session a has ended: it was deleted in the cluster, for instance by kurun stop$/,
    ],
    [new ReplacedError("replaced by bob from desk"), /^error: replaced by bob from desk$/],
  ];
  for (const [error, says] of lost) {
    const { text, exitCode } = describeError(error);
    assert.match(text, says);
    assert.equal(exitCode, ExitCode.sessionLost);
  }
  assert.equal(describeError(refused).exitCode, ExitCode.cluster);
  assert.deepEqual(describeError(new ExitError(ExitCode.neverStarted, lost[0]![0])), {
    ...describeError(lost[0]![0]),
    exitCode: ExitCode.neverStarted,
  });
});

/** Error classes that never reach describeError, each with the file that recognizes it. */
const INTERNAL: Readonly<Record<string, string>> = {
  ClientCertificateError: "k8s/api/dial.ts",
  FieldConflictError: "cli/apply/describe_apply.ts",
  HandshakeError: "cli/session/tunnel_link.ts",
  Http1Error: "cli/port_forward/http_lens.ts",
  HttpConnectionError: "k8s/api/request_sender.ts",
  NotEstablishedError: "cli/apply/describe_apply.ts",
  PreviewError: "cli/apply/describe_apply.ts",
  OpeningError: "k8s/session/dial/web_socket_request.ts",
  ProtocolError: "tunnel/session.ts",
  SessionEndedError: "cli/port_forward/watch_caller.ts",
  SessionTakenError: "cli/session/start_session.ts",
  StreamResetError: "cli/port_forward/watch_caller.ts",
  ValueError: "k8s/manifests/manifest_objects.ts",
  WebSocketError: "tunnel/web_socket/web_socket_transport.ts",
};
/** Error classes that a file catches together with all others, with words from the code that does. */
const CAUGHT_WITH_OTHERS: Readonly<Record<string, readonly [path: string, code: RegExp]>> = {
  InterruptedError: ["cli/program.ts", /error === reason/],
  PodOverrideError: ["cli/port_forward/pod_flags.ts", /try \{\s+checkPodPatch\(patch\);[^}]+\} catch/],
  StreamLimitError: ["cli/run/remote_run.ts", /session\.open\([^]*\.catch\(\(\) => \{\}\)/],
  UpstreamError: ["cli/port_forward/serve_stream.ts", /await dialUpstream\([^]*\} catch \(error\) \{/],
};

Deno.test("every error class of the command line is described, or is known to be caught elsewhere", async () => {
  const files = await sourceFiles();
  const describing = files.find(({ path }) => path === "cli/describe_error.ts")!.text;
  const unknown: string[] = [];
  for (const { path, text } of files) {
    if (path.startsWith("server/")) continue;
    for (const [, name] of text.matchAll(/^export class (\w+) extends \w*Error\b/gm)) {
      if (!describing.includes(`instanceof ${name}`) && !(name! in INTERNAL || name! in CAUGHT_WITH_OTHERS)) {
        unknown.push(`${path}: ${name}`);
      }
    }
  }
  assert.deepEqual(unknown, [], "describe it in cli/describe_error.ts");
  const textOf = (path: string) => files.find((file) => file.path === path)?.text ?? "";
  const gone = [
    ...Object.entries(INTERNAL).filter(([name, path]) => !new RegExp(`(?:instanceof|error:) ${name}\\b`).test(textOf(path))),
    ...Object.entries(CAUGHT_WITH_OTHERS).filter(([, [path, code]]) => !code.test(textOf(path))),
  ];
  assert.deepEqual(gone, [], "these files do not catch these errors any more");
});
