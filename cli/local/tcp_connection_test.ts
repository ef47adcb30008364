import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { TcpConnection } from "./tcp_connection.ts";

async function pair(): Promise<[TcpConnection, TcpConnection]> {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const [near, far] = await Promise.all([Deno.connect({ port: listener.addr.port }), listener.accept()]);
  return [new TcpConnection(near), new TcpConnection(far)];
}

Deno.test("bytes go both ways, each direction ends by itself, and the socket is closed when both have", async () => {
  const [near, far] = await pair();
  await near.write(new TextEncoder().encode("ask"));
  near.closeWrite();
  assert.equal(new TextDecoder().decode(await far.read() ?? undefined), "ask");
  assert.equal(await far.read(), null);
  await far.write(new TextEncoder().encode("answer"));
  far.closeWrite();
  assert.equal(new TextDecoder().decode(await near.read() ?? undefined), "answer");
  assert.equal(await near.read(), null);
});

Deno.test("what was read is not overwritten by what is read next", async () => {
  const [near, far] = await pair();
  const chunks: Uint8Array[] = [];
  const reading = (async () => {
    for (let bytes = await far.read(); bytes !== null; bytes = await far.read()) chunks.push(bytes);
  })();
  for (let i = 0; i < 200; i++) await near.write(new Uint8Array(i * 997).fill(i));
  near.closeWrite();
  await reading;
  far.closeWrite();
  await near.read();
  const wanted = Array.from({ length: 200 }, (_, i) => new Uint8Array(i * 997).fill(i));
  assert.ok(Buffer.concat(chunks).equals(Buffer.concat(wanted)));
});
