import assert from "node:assert/strict";
import { certificateAuthority } from "../../tests/certificate_authority.ts";
import { OwnSockets } from "./own_sockets.ts";

const ca = await certificateAuthority({ commonName: "test-ca", days: 1, now: new Date() });
const { certPem: cert, keyPem: key } = await ca.issue({ names: ["localhost"], days: 1, now: new Date() });

function linuxTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, ignore: Deno.build.os !== "linux" });
}

linuxTest("a connection in the middle of its TLS handshake is cut, over IPv4 and IPv6, and no other one", async () => {
  const sockets = new OwnSockets();
  const cut = (connection: Deno.TlsConn) => {
    const file = sockets.take(connection);
    file?.reset();
    file?.release();
    connection.close();
  };
  for (const hostname of ["127.0.0.1", "::1"]) {
    using listener = Deno.listenTls({ hostname: "::", port: 0, cert, key });
    using other = await Deno.connect({ hostname, port: listener.addr.port });
    const spared = await listener.accept();
    using peer = await Deno.connect({ hostname, port: listener.addr.port });
    const connection = await listener.accept();
    const failed = assert.rejects(connection.read(new Uint8Array(1)));
    cut(connection);
    await assert.rejects(peer.read(new Uint8Array(1)), Deno.errors.ConnectionReset);
    await failed;
    const rest = other.read(new Uint8Array(1)).then(() => "ended", () => "ended");
    assert.equal(await Promise.race([rest, new Promise((resolve) => setTimeout(resolve, 50, "open"))]), "open");
    cut(spared);
    assert.equal(await rest, "ended");
  }
});

linuxTest("small writes one after another leave immediately", async () => {
  using listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
  new OwnSockets().prepareListeners();
  const accepted = listener.accept();
  using peer = await Deno.connectTls({ hostname: "localhost", port: listener.addr.port, caCerts: [ca.certPem] });
  using connection = await accepted;
  await Promise.all([connection.handshake(), peer.handshake()]);
  const buffer = new Uint8Array(16);
  const started = performance.now();
  for (let round = 0; round < 20; round++) {
    for (let written = 0; written < 3; written++) await connection.write(new Uint8Array(1));
    for (let read = 0; read < 3;) read += await peer.read(buffer) ?? 0;
    await peer.write(new Uint8Array(1));
    await connection.read(buffer);
  }
  assert.ok(performance.now() - started < 400, `${performance.now() - started} ms`);
});
