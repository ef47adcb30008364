import assert from "node:assert/strict";
import { withFigures } from "./document.ts";
import { benchFlags, isWanted } from "./flags.ts";
import { HELLO } from "./nginx.ts";
import { assertAnswers } from "./others.ts";

const DOCUMENT = new URL("../../docs/benchmarks.md", import.meta.url);

Deno.test("new figures replace the old ones, and the text around them stays", async () => {
  const before = await Deno.readTextFile(DOCUMENT);
  for (const section of ["bench", "bench --with"] as const) {
    const once = withFigures(before, section, "| a | b |\n");
    assert.equal(withFigures(once, section, "| a | b |\n"), once);
    const [head, tail] = once.split("\n| a | b |\n\n") as [string, string];
    assert.ok(head.endsWith(`<!-- deno task ${section} --write: begin -->\n`) && before.startsWith(head));
    assert.ok(tail.startsWith(`<!-- deno task ${section} --write: end -->`) && before.endsWith(tail));
  }
});

Deno.test("a document without the marks is refused, not overwritten", () => {
  assert.throws(() => withFigures("# Benchmarks\n", "bench", "| a |"), /lacks the lines/);
});

Deno.test("--write is refused with --only or --quick", () => {
  assert.throws(() => benchFlags(["--write", "--quick"]), /whole table/);
  assert.throws(() => benchFlags(["--write", "--only", "redis"]), /whole table/);
});

Deno.test("--only chooses parts by words in their names; without it all parts are measured", () => {
  const names = ["requests plain 50", "50 MB down and up", "redis tcp"];
  const chosen = (...args: string[]) => names.filter((name) => isWanted(name, benchFlags(args)));
  assert.deepEqual(chosen("--only", "50 mb", "--only", "redis"), ["50 MB down and up", "redis tcp"]);
  assert.deepEqual(chosen(), names);
});

Deno.test("--with takes the name and the Service's address of each other tunnel, and refuses anything else", () => {
  const given = ["--with", "a=http://a.ns.svc:8080", "--with", "b b=http://10.0.0.1/"];
  assert.deepEqual(benchFlags(given).others, [{ name: "a", url: "http://a.ns.svc:8080/" }, { name: "b b", url: "http://10.0.0.1/" }]);
  for (const wrong of ["a", "=http://a", "a=", "a=a.ns.svc", "a=https://a", "a=http://a/path", "a=http://a/?query"]) {
    assert.throws(() => benchFlags(["--with", wrong]), /must be NAME=http:/, wrong);
  }
  assert.throws(() => benchFlags(["--with", "a=http://a", "--with", "a=http://b"]), /twice/);
  assert.throws(() => benchFlags(["--with", "kurun=http://a"]), /twice/);
});

Deno.test("another tunnel that does not answer, or not with nginx's page, is refused", async () => {
  let page = HELLO;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response(page));
  const other = { name: "other", url: `http://127.0.0.1:${server.addr.port}/` };
  await assertAnswers(other);
  page = "nobody is connected";
  await assert.rejects(assertAnswers(other), /--with other=.*got "nobody is connected"\nStart other so that/);
  await server.shutdown();
  await assert.rejects(assertAnswers(other), /ECONNREFUSED|refused/i);
});
