/**
 * Compares kurun with kubectl over generated proxy variables: which proxy a server is reached through, if any.
 *
 * @module
 */
import assert from "node:assert/strict";
import { proxyFromEnvironment } from "../../k8s/api/http_proxy.ts";
import { SeededRandom } from "../seeded_random.ts";

const CASES = 120;
/** None of them answers: names do not resolve, and 127.0.0.0/8 refuses. */
const HOSTS = [
  "localhost",
  "127.0.0.1",
  "127.1.2.3",
  "[::1]",
  "api.test.invalid",
  "test.invalid",
  "a.b.test.invalid",
  "API.Test.invalid",
  "xtest.invalid",
  "api.test.invalid.",
];
const NO_PROXY = [
  ...["", "*", " ", "test.invalid", ".test.invalid", "*.test.invalid", "invalid", "api.test.invalid", "TEST.INVALID", "test.invalid:6443"],
  ...[
    "test.invalid:443",
    "api.test.invalid:6443",
    " test.invalid ",
    "other.invalid",
    "127.0.0.0/8",
    "::1",
    "*.invalid:6443",
    "test.invalid.",
    "*test.invalid",
  ],
  ...["api.test.invalid/8", "https://test.invalid", "test.invalid:", ":6443", "api.*", ".", "*.", "[::1]:6443"],
];

Deno.test("kurun and kubectl use the same proxy for generated variables and servers", async () => {
  const random = new SeededRandom(8);
  const contacted = new Set<string>();
  // A proxy that hangs up: that it was asked is enough.
  const listen = (name: string) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    (async () => {
      for await (const connection of listener) {
        contacted.add(name);
        connection.close();
      }
    })().catch(() => {});
    return listener;
  };
  using one = listen("one");
  using two = listen("two");
  const names = new Map([[one.addr.port, "one"], [two.addr.port, "two"]]);
  const counts = new Map<string, number>();
  const differences: string[] = [];
  for (let round = 0; round < CASES; round++) {
    const server = `${random.pick(["https", "https", "http"])}://${random.pick(HOSTS)}${random.pick(["", ":6443", ":443", ":8080"])}`;
    const variables: Record<string, string> = {};
    for (
      const [variable, { addr: { port } }] of [["HTTPS_PROXY", one], ["https_proxy", two], ["HTTP_PROXY", one], [
        "http_proxy",
        two,
      ]] as const
    ) {
      if (random.chance(0.5)) {
        variables[variable] = random.pick([`http://127.0.0.1:${port}`, `127.0.0.1:${port}`, `http://u:p@127.0.0.1:${port}`, ""]);
      }
    }
    for (const variable of ["NO_PROXY", "no_proxy"]) {
      if (random.chance(0.6)) variables[variable] = Array.from({ length: 1 + random.below(2) }, () => random.pick(NO_PROXY)).join(",");
    }
    contacted.clear();
    await new Deno.Command("kubectl", {
      args: ["get", "--raw", "/probe", "--request-timeout=2s", "--server", server, "--kubeconfig", "/dev/null", "--token", "x"],
      env: variables,
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    const expected = [...contacted].join() || "none";
    const found = proxyFromEnvironment(new URL(server), { get: (name) => variables[name] });
    const actual = found === undefined ? "none" : names.get(Number(found.port));
    counts.set(expected, (counts.get(expected) ?? 0) + 1);
    if (actual !== expected) differences.push(`${server} ${JSON.stringify(variables)}: kubectl ${expected}, kurun ${actual}`);
  }
  assert.deepEqual(differences, []);
  for (const way of ["none", "one", "two"]) assert.ok((counts.get(way) ?? 0) >= CASES / 20, `${way}: ${counts.get(way)}`);
});
