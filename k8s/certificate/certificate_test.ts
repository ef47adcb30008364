import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { TlsServer } from "../../tests/tls_server.ts";
import { certificateAuthority } from "../../tests/certificate_authority.ts";
import { selfSignedServerCertificate } from "./certificate.ts";
import { dial } from "../api/dial.ts";

const now = new Date();

Deno.test("selfSignedServerCertificate() is trusted as its own anchor, under each of its names", async () => {
  const certificate = await selfSignedServerCertificate({ names: ["web.shop.svc", "web"], days: 30, now });
  await using server = await TlsServer.listen({ certificate });
  for (const serverName of ["web.shop.svc", "web"]) {
    const socket = await dial({ host: "127.0.0.1", port: server.port, tls: { ca: certificate.certPem, serverName } });
    socket.reset();
  }
  const other = await selfSignedServerCertificate({ names: ["web.shop.svc"], days: 30, now });
  await assert.rejects(dial({ host: "127.0.0.1", port: server.port, tls: { ca: other.certPem, serverName: "web.shop.svc" } }), {
    kind: "tls-untrusted",
  });
});

Deno.test("selfSignedServerCertificate() is not an authority, and is different each time", async () => {
  const [first, second] = await Promise.all([1, 2].map(() => selfSignedServerCertificate({ names: ["a"], days: 1, now })));
  assert.equal(new X509Certificate(first!.certPem).ca, false);
  assert.notEqual(new X509Certificate(first!.certPem).serialNumber, new X509Certificate(second!.certPem).serialNumber);
  assert.notEqual(first!.keyPem, second!.keyPem);
});

Deno.test("a certificate is valid from an hour ago and for its number of days, also past 2050", async () => {
  for (const [days, year] of [[1, 2026], [365 * 30, 2056]] as const) {
    const made = new Date("2026-11-23T12:00:00Z");
    const { certPem } = await selfSignedServerCertificate({ names: ["a"], days, now: made });
    const certificate = new X509Certificate(certPem);
    assert.equal(new Date(certificate.validFrom).getTime(), made.getTime() - 3_600_000);
    assert.equal(new Date(certificate.validTo).getTime(), made.getTime() + days * 24 * 3_600_000);
    assert.equal(new Date(certificate.validTo).getUTCFullYear(), year);
  }
});

Deno.test("the tests' authority signs certificates of servers, for DNS names and IP addresses", async () => {
  const ca = await certificateAuthority({ commonName: "test-ca", days: 1, now });
  const names = ["localhost", "127.0.0.1", "fd00::1"];
  const certificate = await ca.issue({ names, days: 1, now, commonName: "jane", organization: "devs" });
  await using server = await TlsServer.listen({ certificate });
  for (const serverName of names) {
    const socket = await dial({ host: "127.0.0.1", port: server.port, tls: { ca: ca.certPem, serverName } });
    socket.reset();
  }
  const x509 = new X509Certificate(certificate.certPem);
  assert.match(x509.issuer, /CN=test-ca/);
  assert.match(x509.subject, /CN=jane/);
  assert.match(x509.subject, /O=devs/);
});
