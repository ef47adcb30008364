import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ConnectProxy } from "../../tests/connect_proxy.ts";
import type { Dialled, PlainTarget } from "../../tests/native_dial_program.ts";
import { TlsServer } from "../../tests/tls_server.ts";
import { certificateAuthority } from "../../tests/certificate_authority.ts";

const now = new Date();
const DAY_MS = 24 * 60 * 60 * 1000;
const ca = await certificateAuthority({ commonName: "test-ca", days: 10, now });
const otherCa = await certificateAuthority({ commonName: "other-ca", days: 10, now });
const certificate = await ca.issue({ names: ["localhost", "127.0.0.1", "::1"], days: 10, now });
const named = await ca.issue({ names: ["kube.example"], days: 10, now });
const expired = await ca.issue({ names: ["127.0.0.1"], days: 10, now: new Date(now.getTime() - 20 * DAY_MS) });
const jane = await ca.issue({ names: [], days: 10, now, usage: "client", commonName: "jane", organization: "devs" });
const trust = { ca: ca.certPem };
/** Deno 2.6 keeps its roots, so that clusters are left to node:tls there. */
const ignore = /^2\.[0-7]\./.test(Deno.version.deno);

/** Dials in a process for which `ca` is among the system's roots. */
async function dial(
  targets: readonly PlainTarget[],
  store: string | null = "system",
): Promise<{ results: Dialled[]; store: string | null }> {
  const roots = await Deno.makeTempFile();
  await Deno.writeTextFile(roots, ca.certPem);
  try {
    const { DENO_TLS_CA_STORE: _, NODE_EXTRA_CA_CERTS: __, ...env } = Deno.env.toObject();
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", fileURLToPath(new URL("../../tests/native_dial_program.ts", import.meta.url))],
      clearEnv: true,
      env: { ...env, SSL_CERT_FILE: roots, NODE_NO_WARNINGS: "1", ...(store === null ? {} : { DENO_TLS_CA_STORE: store }) },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(targets)));
    await writer.close();
    const { stdout } = await child.output();
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(roots);
  }
}

function kinds(results: readonly Dialled[]): string[] {
  return results.map((result) => "kind" in result ? result.kind : "answer" in result ? result.answer.slice(0, 15) : "left");
}

Deno.test("a server whose certificate a system root signed is refused where the kubeconfig names another CA", { ignore }, async () => {
  await using server = await TlsServer.listen({ certificate });
  const target = { host: "127.0.0.1", port: server.port };
  const { results, store } = await dial([{ ...target, tls: { ca: otherCa.certPem } }, { ...target, tls: trust }, { ...target, tls: {} }]);
  assert.deepEqual(kinds(results), ["tls-untrusted", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK"]);
  assert.equal((results[0] as { issuer?: string }).issuer, "test-ca");
  assert.equal(store, "system", "the variable is as it was, for what reads it later");
});

Deno.test("where the kubeconfig names no CA the roots are those that Deno is told to use", { ignore }, async () => {
  await using server = await TlsServer.listen({ certificate });
  const target = { host: "127.0.0.1", port: server.port, tls: {} };
  for (
    const [store, kind] of [["mozilla", "tls-untrusted"], [null, "tls-untrusted"], ["mozilla,system", "HTTP/1.1 200 OK"]] as const
  ) {
    const dialled = await dial([target], store);
    assert.deepEqual(kinds(dialled.results), [kind], `${store}`);
    assert.equal(dialled.store, store);
  }
});

Deno.test(
  "dial() with Deno's own TLS compares names, shows the client's certificate and tells what is wrong with the server's",
  { ignore },
  async () => {
    await using plain = await TlsServer.listen({ certificate });
    await using other = await TlsServer.listen({ certificate: named });
    await using old = await TlsServer.listen({ certificate: expired });
    await using asks = await TlsServer.listen({ certificate, clientCa: ca.certPem });
    const host = "127.0.0.1";
    const identity = { cert: jane.certPem, key: jane.keyPem };
    const { results } = await dial([
      { host, port: other.port, tls: trust },
      { host, port: other.port, tls: { ...trust, serverName: "kube.example" } },
      { host, port: plain.port, tls: { ...trust, serverName: "::1" } },
      { host: "localhost", port: plain.port, tls: trust },
      { host, port: old.port, tls: trust },
      { host, port: asks.port, tls: { ...trust, ...identity } },
      { host, port: asks.port, tls: { ...trust, cert: jane.certPem, key: "none" } },
      { host: "no-such-host.invalid", port: 1, tls: trust },
      { host, port: 1, tls: trust },
      { host, port: 1, tls: { ...trust, ...identity } },
    ]);
    const ok = "HTTP/1.1 200 OK";
    assert.deepEqual(kinds(results), ["tls-name", ok, ok, ok, "tls-expired", ok, "tls-client", "dns", "refused", "refused"]);
    assert.match((results[5] as { answer: string }).answer, /"client":"jane","group":"devs"/);
  },
);

Deno.test("dial() with Deno's own TLS goes through a proxy by CONNECT or SOCKS, and says what the proxy answered", { ignore }, async () => {
  await using server = await TlsServer.listen({ certificate: named });
  using proxy = new ConnectProxy({ credentials: "jane:p w", resolve: () => "127.0.0.1" });
  const target = { host: "kube.example", port: server.port, tls: trust };
  const { results } = await dial([
    { ...target, proxy: `http://jane:p%20w@127.0.0.1:${proxy.port}` },
    { ...target, proxy: `http://jane:wrong@127.0.0.1:${proxy.port}` },
    { ...target, proxy: "http://127.0.0.1:1" },
    { ...target, proxy: `socks5://jane:p%20w@127.0.0.1:${proxy.port}` },
    { ...target, proxy: `socks5://jane:wrong@127.0.0.1:${proxy.port}` },
  ]);
  assert.deepEqual(kinds(results), ["HTTP/1.1 200 OK", "proxy", "proxy", "HTTP/1.1 200 OK", "proxy"]);
  assert.match((results[1] as { message: string }).message, /407 Proxy Authentication Required/);
  assert.ok(!JSON.stringify(results).includes("wrong"));
  assert.deepEqual(proxy.asked.slice(0, 1), [`kube.example:${server.port}`]);
});

Deno.test("dial() with Deno's own TLS ends in time, and leaves to node:tls what Deno's own TLS cannot do", { ignore }, async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using server = await TlsServer.listen({ certificate: expired });
  await using secret = await TlsServer.listen({ certificate: named });
  using proxy = new ConnectProxy({ tls: certificate, resolve: () => "127.0.0.1" });
  const target = { host: "127.0.0.1", port: server.port };
  const identity = { cert: jane.certPem, key: jane.keyPem };
  const { results } = await dial([
    { ...target, port: silent.addr.port, tls: trust, timeoutMs: 200 },
    { ...target, tls: { insecure: true } },
    { ...target, port: secret.port, tls: { ...trust, ...identity, serverName: "kube.example" } },
    { ...target, tls: { ...trust, ...identity }, proxy: "http://127.0.0.1:1" },
    { ...target, host: "kube.example", port: secret.port, tls: trust, proxy: `https://127.0.0.1:${proxy.port}` },
  ]);
  assert.deepEqual(kinds(results), ["timeout", "left", "left", "left", "left"]);
  assert.deepEqual(results.slice(1).map((result) => "node" in result && result.node), ["connected", "connected", "proxy", "connected"]);
});
