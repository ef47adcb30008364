import assert from "node:assert/strict";
import { nameOfProgram, parseAmounts, parseEnvFile, splitArguments } from "./run_flags.ts";
import { parsePortPair } from "./run_ports.ts";

Deno.test("Go files that follow a first one are built with it, and what comes then is the program's, as it stands", () => {
  const split = (program: string, ...args: string[]) => splitArguments(program, args);
  assert.deepEqual(split("a.go", "b.go", "-v", "c.go"), { targets: ["a.go", "b.go"], rest: ["-v", "c.go"], separated: false });
  assert.deepEqual(split("a.go", "--", "b.go"), { targets: ["a.go"], rest: ["b.go"], separated: true });
  assert.deepEqual(split("a.go", "", "--", "x"), { targets: ["a.go"], rest: ["", "--", "x"], separated: false });
  assert.deepEqual(split("main.ts", "b.go"), { targets: ["main.ts"], rest: ["b.go"], separated: false });
  assert.deepEqual(split("dir", "--", "--", "-n"), { targets: ["dir"], rest: ["--", "-n"], separated: true });
});

Deno.test("an --env-file has a variable a line, whose value is all that follows", () => {
  const text = '# comment\n\nA=1\r\nB= "x" # no comment\nC==\nD=\nHERE\nNOT_HERE\n';
  const found = parseEnvFile("f", text, (name) => name === "HERE" ? "from here" : undefined);
  assert.deepEqual(found, [["A", "1"], ["B", ' "x" # no comment'], ["C", "="], ["D", ""], ["HERE", "from here"]]);
  assert.throws(() => parseEnvFile("f", "A=1\nB C=2\n", () => undefined), /--env-file f, line 2: write NAME=VALUE/);
  assert.throws(() => parseEnvFile("f", "=2", () => undefined), /line 1/);
});

Deno.test("amounts are the API's own, each with its resource", () => {
  assert.deepEqual(parseAmounts("--limits", "cpu=0.5,memory=64Mi"), { cpu: "0.5", memory: "64Mi" });
  assert.deepEqual(parseAmounts("--limits", "nvidia.com/gpu=1"), { "nvidia.com/gpu": "1" });
  for (const text of ["", "cpu", "cpu=", "memory=64MB", "cpu=1,,", "cpu=-1"]) {
    assert.throws(() => parseAmounts("--limits", text), /--limits/, text);
  }
});

Deno.test("-p takes a port here and one there, or one for both", () => {
  assert.deepEqual(parsePortPair("8080:80"), { local: 8080, remote: 80 });
  assert.deepEqual(parsePortPair("8080"), { local: 8080, remote: 8080 });
  for (const text of ["", "a", "1:2:3", "0:80", "80:70000", ":80"]) assert.throws(() => parsePortPair(text), /-p/, text);
});

Deno.test("a program is called after its file, or its folder where the file's name says nothing", () => {
  assert.equal(nameOfProgram("/a/web/main.go"), "web");
  assert.equal(nameOfProgram("/a/web/cat.go"), "cat");
  assert.equal(nameOfProgram("/a/web/mod.ts"), "web");
  assert.equal(nameOfProgram("/a/web/"), "web");
  assert.equal(nameOfProgram("/"), "program");
});
