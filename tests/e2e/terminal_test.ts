import assert from "node:assert/strict";
import { clusterTest, kubectl } from "./kubernetes.ts";
import { TmuxTerminal } from "./tmux_terminal.ts";
import { serveHttp } from "./upstreams.ts";

/** The lines of the screen that begin like a status line. */
function statusLines(screen: string): string[] {
  return screen.split("\n").filter((line) => /^(Waiting ·|Forwarding since|Connection lost since)/.test(line));
}

clusterTest(
  "in a terminal a status line at the bottom counts requests, other lines go above it, and it is erased at the end",
  async (namespace) => {
    await using upstream = serveHttp((request) => new Response("ok", { status: request.url.endsWith("/bad") ? 500 : 200 }));
    await using terminal = await TmuxTerminal.start(["port-forward", upstream.url, "-n", namespace.name, "-v"]);
    await terminal.waitFor(/^Forwarding since \d\d:\d\d:\d\d · 0 open/m);
    const url = `http://${await namespace.address()}`;
    for (const path of ["/a", "/b", "/bad"]) await (await fetch(`${url}${path}`, { headers: { connection: "close" } })).body?.cancel();
    const lines = String.raw`^Forwarding http://kurun\.[^]*\n\S+ GET /a 200 2B [^]*\n\S+ GET /b 200 2B [^]*\n\S+ GET /bad 500 2B [^\n]+\n`;
    const busy = await terminal.waitFor(new RegExp(`${lines}Forwarding since [^\n]* 3 requests · 1 error, the last: GET /bad 500$`, "m"));
    assert.equal(statusLines(busy).length, 1);
    assert.match(await terminal.screen(true), /\p{Cc}\[32mForwarding since/u);
    await terminal.type("C-c");
    const after = await terminal.waitFor(/^exit 0$/m);
    assert.deepEqual(statusLines(after), []);
    assert.match(after, /^\S+ GET \/bad 500 [^\n]+\n+(\^C)?\n*exit 0$/m);
  },
);

clusterTest("the status line shows a lost connection until it is restored", async (namespace) => {
  await using upstream = serveHttp(() => new Response("ok"));
  await using terminal = await TmuxTerminal.start(["port-forward", upstream.url, "-n", namespace.name]);
  await terminal.waitFor(/^Forwarding since /m);
  const scale = (replicas: number) => kubectl(["scale", "deployments", "--all", `--replicas=${replicas}`, "-n", namespace.name]);
  await scale(0);
  await terminal.waitFor(/^Connection lost: [^\n]+\nConnection lost since \d\d:\d\d:\d\d \([^\n]+\) · /m);
  await scale(1);
  const back = await terminal.waitFor(/^Reconnected after \d+s\nForwarding since /m);
  assert.equal(statusLines(back).length, 1);
});

clusterTest("NO_COLOR removes colors, and a narrow terminal does not wrap the status line", async (namespace) => {
  await using upstream = serveHttp(() => new Response("ok"));
  const options = { columns: 40, env: { NO_COLOR: "1" } };
  await using terminal = await TmuxTerminal.start(["port-forward", upstream.url, "-n", namespace.name], options);
  await terminal.waitFor(/^Forwarding since /m);
  const url = `http://${await namespace.address()}`;
  for (let i = 0; i < 12; i++) await (await fetch(url)).text();
  const screen = await terminal.waitFor(/^Forwarding since \d\d:\d\d:\d\d · [01] open ·…$/m);
  assert.equal(statusLines(screen).length, 1);
  assert.doesNotMatch(await terminal.screen(true), /\p{Cc}\[3\dm/u);
});

clusterTest("a dumb terminal gets only plain lines", async (namespace) => {
  await using upstream = serveHttp(() => new Response("ok"));
  const args = ["port-forward", upstream.url, "-n", namespace.name, "-v"];
  await using terminal = await TmuxTerminal.start(args, { env: { TERM: "dumb" } });
  await terminal.waitFor(/^Forwarding http/m);
  await (await fetch(`http://${await namespace.address()}/a`)).text();
  assert.deepEqual(statusLines(await terminal.waitFor(/^\S+ GET \/a 200 /m)), []);
});
