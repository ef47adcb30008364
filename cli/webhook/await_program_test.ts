import assert from "node:assert/strict";
import { certificateAuthority } from "../../tests/certificate_authority.ts";
import { LOCAL_HOSTS, serviceHosts, sessionCertificates } from "../../k8s/certificate/session_ca.ts";
import type { CertificatePair } from "../../k8s/certificate/certificate.ts";
import { UserError } from "../command/errors.ts";
import { dialUpstream } from "../port_forward/upstream.ts";
import { parseUpstream, type Upstream } from "../port_forward/upstream_url.ts";
import { awaitProgram, checkNothingListens } from "./await_program.ts";

const now = new Date();
const names = [...serviceHosts("hooks", "dev"), ...LOCAL_HOSTS];
const session = await sessionCertificates({ names, days: 1, now });

/** A program on this machine, over TLS if it has a certificate. */
function serve(pair?: CertificatePair): { port: number } & AsyncDisposable {
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = pair
    ? Deno.serve({ ...options, cert: pair.certPem, key: pair.keyPem }, () => new Response("ok"))
    : Deno.serve(options, () => new Response("ok"));
  return { port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Waits for a program. @returns the upstream, and what was printed */
async function wait(upstream: Upstream, signal = new AbortController().signal): Promise<[Upstream, string[]]> {
  const lines: string[] = [];
  const found = await awaitProgram(upstream, { caPem: session.caPem, say: (line) => lines.push(line), signal });
  return [found, lines];
}

const rejects = (upstream: Upstream, message: RegExp | string) =>
  assert.rejects(wait(upstream), (error) => {
    assert.ok(error instanceof UserError, String(error));
    typeof message === "string" ? assert.equal(error.message, message) : assert.match(error.message, message);
    return true;
  });

Deno.test("a program with the session's certificate is verified from then on, and no other one is taken for it", async () => {
  let upstream: Upstream;
  {
    await using program = serve(session);
    const given = parseUpstream(`https://localhost:${program.port}`);
    const [found, lines] = await wait(given);
    assert.deepEqual(lines, [`${given.url} has this session's certificate, which kurun verifies`]);
    assert.equal(found.trust?.insecure, false);
    (await dialUpstream(found)).reset();
    upstream = found;
  }
  await using impostor = serve(await sessionCertificates({ names, days: 1, now }));
  await assert.rejects(dialUpstream({ ...upstream, port: impostor.port }), /a certificate from an unknown CA/);
});

Deno.test("a program with a certificate of its own on this machine is not verified, and kurun says so", async () => {
  const authority = await certificateAuthority({ commonName: "own", days: 1, now });
  const past = new Date(now.getTime() - 10 * 24 * 3_600_000);
  for (
    const [content, end] of [
      [{ names: ["localhost"], days: 1, now }, ""],
      [
        { names: ["localhost"], days: 2, now: past },
        `, which expired at ${new Date(past.getTime() + 2 * 24 * 3_600_000).toISOString().slice(0, -5)}.000Z`,
      ],
    ] as const
  ) {
    await using program = serve(await authority.issue(content));
    const given = parseUpstream(`https://localhost:${program.port}`);
    const [found, lines] = await wait(given);
    const line = `${given.url} has a certificate of its own${end}. kurun does not verify it, because the program is on this machine`;
    assert.deepEqual([found, lines], [given, [line]]);
  }
});

Deno.test("a program that has read the files of an earlier session has to be restarted", async () => {
  await using program = serve(await sessionCertificates({ names, days: 1, now }));
  const given = parseUpstream(`https://localhost:${program.port}`);
  const [found, lines] = await wait(given);
  const line = `Warning: ${given.url} has the certificate of an earlier session. Restart the program`;
  assert.deepEqual([found, lines], [given, [line]]);
});

Deno.test("with --upstream-ca, a certificate of the program's own is verified, and one of another CA is refused", async () => {
  const [own, other] = await Promise.all(["own", "other"].map((commonName) => certificateAuthority({ commonName, days: 1, now })));
  await using program = serve(await own!.issue({ names: ["localhost"], days: 1, now }));
  const given = parseUpstream(`https://localhost:${program.port}`);
  const trusting = (ca: string) => ({ ...given, trust: { insecure: false, ca } });
  const [found, lines] = await wait(trusting(own!.certPem));
  assert.deepEqual(lines, [`${given.url} has a certificate of its own, which kurun verifies`]);
  (await dialUpstream(found)).reset();
  await rejects(trusting(other!.certPem), /has a certificate from an unknown CA: use --upstream-ca FILE/);
});

Deno.test("a program that speaks the other one of http and https is refused with the right URL", async () => {
  await using plain = serve();
  await using secure = serve(session);
  await rejects(
    parseUpstream(`https://localhost:${plain.port}`),
    `https://localhost:${plain.port} does not speak TLS. If it speaks plain HTTP: kurun webhook http://localhost:${plain.port}`,
  );
  await rejects(
    parseUpstream(`http://127.0.0.1:${secure.port}/hooks`),
    `http://127.0.0.1:${secure.port}/hooks speaks TLS. Use https: kurun webhook https://127.0.0.1:${secure.port}/hooks`,
  );
  const upstream = parseUpstream(`http://localhost:${plain.port}`);
  assert.deepEqual(await wait(upstream), [upstream, []]);
});

Deno.test("a program that starts later is waited for: after a second kurun says so, once", async () => {
  const { port } = serveLater();
  const given = parseUpstream(`http://localhost:${port}`);
  const waiting = wait(given);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await using _ = { [Symbol.asyncDispose]: () => server.shutdown() };
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, () => new Response("ok"));
  assert.deepEqual(await waiting, [given, [`Waiting until the program accepts connections at ${given.url}`]]);
});

Deno.test({
  name: "a host that does not exist is not waited for",
  // Deno 2.6 keeps the signal of a connection whose host does not exist.
  sanitizeResources: false,
  fn: () =>
    rejects(parseUpstream("https://kurun.invalid:9443"), "https://kurun.invalid:9443 cannot be found: its host name does not resolve"),
});

Deno.test("waiting ends when nobody waits any more", async () => {
  const { port } = serveLater();
  const controller = new AbortController();
  const reason = new Error("interrupted");
  const waiting = wait(parseUpstream(`https://localhost:${port}`), controller.signal);
  controller.abort(reason);
  await assert.rejects(waiting, reason);
});

Deno.test("a program that accepts connections but is stopped is waited for", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const controller = new AbortController();
  const waiting = wait(parseUpstream(`https://localhost:${listener.addr.port}`), controller.signal);
  const accepted = await listener.accept();
  controller.abort(new Error("interrupted"));
  await assert.rejects(waiting, /interrupted/);
  accepted.close();
});

Deno.test("a command is not started if its place is taken", async () => {
  await using program = serve();
  const { signal } = new AbortController();
  const url = `https://localhost:${program.port}`;
  await assert.rejects(
    checkNothingListens(parseUpstream(url), signal),
    new UserError(`a program already listens at ${url}. End it first, or leave out the command after --`, 2),
  );
  await checkNothingListens(parseUpstream(`https://localhost:${serveLater().port}`), signal);
});

/** A port that nobody listens on. */
function serveLater(): { port: number } {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return { port: listener.addr.port };
}
