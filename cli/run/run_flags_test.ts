import assert from "node:assert/strict";
import { nameOfProgram, parseAmounts, parseEnvFile, splitArguments } from "./run_flags.ts";
import { parsePortPair } from "./run_ports.ts";

Deno.test("Go files behind the first one are built with it, and the rest are the program's arguments, unchanged", () => {
  const split = (program: string, ...args: string[]) => splitArguments(program, args);
  assert.deepEqual(split("a.go", "b.go", "-v", "c.go"), { targets: ["a.go", "b.go"], rest: ["-v", "c.go"], separated: false });
  assert.deepEqual(split("a.go", "--", "b.go"), { targets: ["a.go"], rest: ["b.go"], separated: true });
  assert.deepEqual(split("a.go", "", "--", "x"), { targets: ["a.go"], rest: ["", "--", "x"], separated: false });
  assert.deepEqual(split("main.ts", "b.go"), { targets: ["main.ts"], rest: ["b.go"], separated: false });
  assert.deepEqual(split("dir", "--", "--", "-n"), { targets: ["dir"], rest: ["--", "-n"], separated: true });
});

Deno.test("an --env-file has one variable per line, with everything behind = as its value", () => {
  const text = '# comment\n\nA=1\r\nB= "x" # no comment\nC==\nD=\nHERE\nNOT_HERE\n';
  const found = parseEnvFile("f", text, (name) => name === "HERE" ? "from here" : undefined);
  assert.deepEqual(found, [["A", "1"], ["B", ' "x" # no comment'], ["C", "="], ["D", ""], ["HERE", "from here"]]);
  assert.throws(() => parseEnvFile("f", "A=1\nB C=2\n", () => undefined), /--env-file f, line 2: write NAME=VALUE/);
  assert.throws(() => parseEnvFile("f", "=2", () => undefined), /line 1/);
});

Deno.test("amounts are Kubernetes quantities, each with its resource", () => {
  assert.deepEqual(parseAmounts("--limits", "cpu=0.5,memory=64Mi"), { cpu: "0.5", memory: "64Mi" });
  assert.deepEqual(parseAmounts("--limits", "nvidia.com/gpu=1"), { "nvidia.com/gpu": "1" });
  for (const text of ["", "cpu", "cpu=", "memory=64MB", "cpu=1,,", "cpu=-1"]) {
    assert.throws(() => parseAmounts("--limits", text), /--limits/, text);
  }
});

Deno.test("-p takes a local and a remote port, or one for both", () => {
  assert.deepEqual(parsePortPair("8080:80"), { local: 8080, remote: 80 });
  assert.deepEqual(parsePortPair("8080"), { local: 8080, remote: 8080 });
  for (const text of ["", "a", "1:2:3", "0:80", "80:70000", ":80"]) assert.throws(() => parsePortPair(text), /-p/, text);
});

Deno.test("a program is named after its file, or after its folder if the file is called main or the like", () => {
  assert.equal(nameOfProgram("/a/web/main.go"), "web");
  assert.equal(nameOfProgram("/a/web/cat.go"), "cat");
  assert.equal(nameOfProgram("/a/web/mod.ts"), "web");
  assert.equal(nameOfProgram("/a/web/"), "web");
  assert.equal(nameOfProgram("/"), "program");
});
