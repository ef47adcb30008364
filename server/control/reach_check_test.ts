import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { podTest } from "../../tests/server_process.ts";
import { ReachCheck } from "./reach_check.ts";

podTest("a Service that answers late is waited for, and one that never answers is not waited for forever", async () => {
  const server = createServer((socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  server.close();
  const check = new ReachCheck([`127.0.0.1:${port}`]).run();
  setTimeout(() => server.listen(port, "127.0.0.1"), 200);
  assert.equal(await check, true);
  server.close();
  const started = performance.now();
  assert.equal(await new ReachCheck(["127.0.0.1:9"]).run(), false);
  assert.ok(performance.now() - started < 3_000);
});

podTest("a connection of a running check is recognized, and one that sends bytes is a caller", async () => {
  const check = new ReachCheck(["127.0.0.1:9"]);
  assert.equal(await check.isOwn(() => "gone"), false);
  const running = check.run();
  assert.equal(await check.isOwn(() => "gone"), true);
  assert.equal(await check.isOwn(() => "sent"), false);
  assert.equal(await check.isOwn(() => "silent"), false);
  await running;
});

podTest("a thousand concurrent questions share one check and its connections", async () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const check = new ReachCheck([`127.0.0.1:${(server.address() as AddressInfo).port}`]);
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => check.run()));
  assert.deepEqual([new Set(answers), connections], [new Set([true]), 1]);
  assert.equal(await check.run(), true);
  server.close();
});
