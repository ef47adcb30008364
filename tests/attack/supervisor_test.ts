/** The supervisor's process while its client's link is congested and breaks. */
import assert from "node:assert/strict";
import { SupervisorClient } from "../../cli/run/supervisor_client.ts";
import { encodePreamble, type RunPreamble, type Session } from "../../tunnel/mod.ts";
import { TcpRelay } from "../faults/tcp_relay.ts";
import { bash, drain, executable } from "../supervisor_link.ts";
import { attackTest, client, pause, ServerProcess } from "./server_process.ts";

/** With 64 KiB each, more than the sockets between the two processes hold and the 1 MiB at which a link counts as congested. */
const DOWNLOADS = 300;

/** A port whose bytes never end. */
function flood(): Deno.TcpListener {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const send = async (connection: Deno.TcpConn) => {
    try {
      for (;;) await connection.write(new Uint8Array(16 * 1024));
    } catch {
      // Closed at the other end.
    }
  };
  void (async () => {
    for await (const connection of listener) void send(connection);
  })().catch(() => {});
  return listener;
}

attackTest("a download that nobody reads congests the link, the link breaks, and the program still runs to its end", async () => {
  const folder = await Deno.makeTempDir();
  using port = flood();
  await using server = await ServerProcess.start({ more: [`--run=${folder}`] });
  await using relay = new TcpRelay(new URL(`https://127.0.0.1:${server.control}`));
  const runs = new SupervisorClient(() => Promise.resolve());
  const connect = async (): Promise<Session> => {
    const session = await client({ control: relay.port }, () => {});
    runs.attach(session);
    return session;
  };
  await connect();
  const run = runs.start(bash("until [ -e done ]; do echo again; sleep 0.02; done; exit 7"), executable(folder), true);
  await run.started;
  for (let cuts = 0; cuts < 3; cuts++) {
    const session = await connect();
    relay.holdBack();
    for (let i = 0; i < DOWNLOADS; i++) void drain(session.open(encodePreamble({ for: "port", port: port.addr.port })));
    await pause(500);
    const more: RunPreamble[] = [{ for: "control" }, { for: "stdout", run: 1 }, { for: "stdin", run: 1 }, { for: "port", port: 1 }];
    for (const preamble of more) void drain(session.open(encodePreamble(preamble)));
    await pause(300);
    relay.cut();
    relay.letGo();
    await pause(200);
    assert.ok(server.alive, server.log);
  }
  await connect();
  await Deno.writeTextFile(`${folder}/done`, "");
  assert.deepEqual(await run.ended(), { code: 7 });
  assert.doesNotMatch(server.log, /bug in kurun/);
  await Deno.remove(folder, { recursive: true });
});
