import assert from "node:assert/strict";
import { connect } from "node:tls";
import { selfSignedServerCertificate } from "../../k8s/certificate/certificate.ts";
import { podTest } from "../../tests/server_process.ts";
import { CallersTls, type Certificate } from "./tls_port.ts";

const now = new Date();

/** A certificate for this name. */
async function issued(name: string): Promise<Certificate> {
  const { certPem: cert, keyPem: key } = await selfSignedServerCertificate({ names: [name], days: 1, now });
  return { cert, key };
}

/** The name in the certificate that a new caller is shown. */
function shown(port: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subjectaltname?.replace("DNS:", ""));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

podTest("no caller fails while the certificate changes, and each that comes afterwards gets the new one", async () => {
  const names = ["one", "two", "three"];
  const certificates = await Promise.all(names.map(issued));
  const tls = new CallersTls(certificates[0]!, []);
  const port = tls.open(0, async (caller) => {
    await caller.handshake().catch(() => {});
    caller.close();
  });
  let ended = false;
  const seen = new Map<string | undefined, number>();
  const steady = async () => {
    while (!ended) {
      const name = await shown(port.port);
      seen.set(name, (seen.get(name) ?? 0) + 1);
    }
  };
  const callers = Promise.all([steady(), steady(), steady()]);
  for (const i of [1, 2, 0]) {
    await tls.use(certificates[i]!);
    for (let call = 0; call < 20; call++) assert.equal(await shown(port.port), names[i]);
  }
  ended = true;
  await callers;
  assert.deepEqual([...seen.keys()].sort(), [...names].sort());
  port.close();
});

podTest("a port that is closed right after a change accepts nobody", async () => {
  const [one, two] = await Promise.all([issued("one"), issued("two")]);
  const tls = new CallersTls(one, []);
  const port = tls.open(0, (caller) => Promise.resolve(caller.close()));
  await tls.use(two);
  port.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (let call = 0; call < 5; call++) await assert.rejects(shown(port.port), { code: "ECONNREFUSED" });
});

podTest("a certificate that cannot be used is refused, and the previous one is still served", async () => {
  const [one, two] = await Promise.all([issued("one"), issued("two")]);
  const tls = new CallersTls(one, []);
  const port = tls.open(0, async (caller) => {
    await caller.handshake().catch(() => {});
    caller.close();
  });
  await assert.rejects(tls.use({ cert: one.cert, key: two.key }), /the key does not belong to the certificate/);
  await assert.rejects(tls.use({ cert: "nothing", key: "nothing" }), /certificate/);
  assert.equal(await shown(port.port), "one");
  port.close();
  assert.throws(() => new CallersTls({ cert: one.cert, key: two.key }, []).open(0, () => Promise.resolve()), /does not belong/);
});
