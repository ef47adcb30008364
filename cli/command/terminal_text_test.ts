import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { sourceFiles } from "../../tests/source_files.ts";
import { terminalLine, terminalText } from "./terminal_text.ts";

for (
  const [what, text, shown] of [
    ["a CSI sequence", "\x1b[2Jdenied", "\\x1b[2Jdenied"],
    ["a C1 control sequence", "\x9b31mred", "\\x9b31mred"],
    ["a window title (OSC)", "\x1b]0;title\x07", "\\x1b]0;title\\x07"],
    ["a hyperlink (OSC 8)", "\x1b]8;;http://x\x1b\\here", "\\x1b]8;;http://x\\x1b\\here"],
    ["a backspace and DEL", "admin\b\x7f", "admin\\x08\\x7f"],
    ["a carriage return that would overwrite the line", "error\rok", "error\\x0dok"],
    ["a Windows line ending", "one\r\ntwo\n", "one\r\ntwo\n"],
    ["tabs, letters and emoji", "\tzwölf 日本 👩‍💻", "\tzwölf 日本 👩‍💻"],
    ["a bidirectional override", "a\u202egpj.exe", "a\\u202egpj.exe"],
    ["bidirectional isolates and marks", "\u2066\u2069\u200e\u200f\u061c", "\\u2066\\u2069\\u200e\\u200f\\u061c"],
    ["invisible tag characters", "\u{e0041}", "\\u{e0041}"],
    ["separators of lines and paragraphs", "\u2028\u2029", "\\u2028\\u2029"],
    ["a lone surrogate", "a\ud83d", "a\\ud83d"],
    ["NUL and BOM", "\0\ufeff", "\\x00\\ufeff"],
  ] as const
) {
  Deno.test(`${what} is shown as text`, () => assert.equal(terminalText(text), shown));
}

Deno.test("no text of any kind leaves a control character, and showing it twice changes nothing", () => {
  const random = new SeededRandom(0x5eed);
  const below = (end: number) => random.below(end);
  for (let round = 0; round < 5_000; round++) {
    const units = Array.from(
      { length: below(30) },
      () => [below(0x20), 0x7f + below(0x21), 0x2000 + below(0x70), below(0x10000)][below(4)]!,
    );
    const text = String.fromCharCode(...units);
    const shown = terminalText(text);
    assert.doesNotMatch(shown.replaceAll("\r\n", "\n"), /(?![\t\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}]/u, JSON.stringify(text));
    assert.equal(terminalText(shown), shown);
    assert.ok(shown.isWellFormed());
  }
});

Deno.test("a long line is cut and says how long it was; the lines around it stay", () => {
  const shown = terminalText(`first\n${"x".repeat(1_000_000)}\nlast`);
  assert.match(shown, /^first\nx{9900,} … \(1000000 characters\)\nlast$/);
  assert.equal(terminalText(shown), shown);
});

Deno.test("terminalLine() joins lines", () => assert.equal(terminalLine("one\r\n  two\n\nthree\x1b"), "one two three\\x1b"));

for (const args of [["port-forward", "a\x1b[2Jb"], ["--\x1b[2J"], ["ls", "--kubeconfig", "/nowhere/\x1b]0;x\x07\u202e"]]) {
  Deno.test(`control characters in arguments are escaped in the program's messages: ${JSON.stringify(args)}`, async () => {
    const main = fileURLToPath(new URL("../../main.ts", import.meta.url));
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args: ["run", "-A", "-q", main, ...args] }).output();
    const text = new TextDecoder().decode(stderr);
    assert.match(text, /\\x1b/);
    assert.doesNotMatch(text, /(?!\n)[\p{Cc}\p{Cf}]/u);
    assert.notEqual(code, 0);
  });
}

Deno.test("only main.ts writes to the process's own streams, so that nothing bypasses the escaping", async () => {
  const others = (await sourceFiles()).filter(({ path, text }) => {
    const code = text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, "");
    return !/^(main\.ts$|server\/)/.test(path) && /Deno\.(stdout|stderr)\b|\bconsole\./.test(code);
  });
  assert.deepEqual(others.map(({ path }) => path), []);
});
