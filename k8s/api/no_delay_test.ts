import assert from "node:assert/strict";
import { certificateAuthority } from "../../tests/certificate_authority.ts";
import { TlsServer } from "../../tests/tls_server.ts";
import { canTurnDelayOff, turnDelayOff } from "./no_delay.ts";

const ignore = Deno.build.os !== "linux";
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const libc = ignore ? undefined! : Deno.dlopen("libc.so.6", {
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
}).symbols;

Deno.test("a connection of Deno.connectTls has Nagle's delay, until it is turned off", { ignore }, async () => {
  const now = new Date();
  const ca = await certificateAuthority({ commonName: "test-ca", days: 10, now });
  await using server = await TlsServer.listen({ certificate: await ca.issue({ names: ["127.0.0.1"], days: 10, now }) });
  using conn = await Deno.connectTls({ hostname: "127.0.0.1", port: server.port, caCerts: [ca.certPem] });
  await conn.handshake();
  assert.equal(delayed(conn.localAddr as Deno.NetAddr), true, "Deno turns it off by itself now: no_delay.ts can go");
  assert.equal(canTurnDelayOff(), true);
  turnDelayOff();
  assert.equal(delayed(conn.localAddr as Deno.NetAddr), false);
});

/** Whether the connection from this address of ours has Nagle's delay, by getsockopt(2). */
function delayed({ port }: Deno.NetAddr): boolean {
  for (let file = 0; file < 256; file++) {
    const address = new Uint8Array(28);
    const size = () => new Uint8Array(new Uint32Array([address.length]).buffer);
    if (libc.getsockname(file, address, size()) !== 0 || address[2]! * 256 + address[3]! !== port) continue;
    const value = new Uint8Array(4);
    assert.equal(libc.getsockopt(file, IPPROTO_TCP, TCP_NODELAY, value, new Uint8Array(new Uint32Array([4]).buffer)), 0);
    return value[0] === 0;
  }
  throw new Error("the connection is none of this process's files");
}
