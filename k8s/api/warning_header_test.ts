import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { parseWarnings } from "./warning_header.ts";
import { withGo } from "../../tests/with_go.ts";

/** The bytes of a text in UTF-8, one character a byte, as headers arrive. */
function bytes(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

Deno.test("warnings are read as UTF-8 with escapes, and several of them from one header", () => {
  const header = bytes('299 - "would violate PodSecurity \\"restricted:latest\\": größe ☃ \\\\", 299 kube "second, with a comma"');
  assert.deepEqual(parseWarnings([header]), ['would violate PodSecurity "restricted:latest": größe ☃ \\', "second, with a comma"]);
});

Deno.test("malformed warnings, other codes and control characters are skipped", () => {
  const headers = ['199 - "other"', '299 - "\\u"', '299 - "\x1b[31mred"', "299 - bare", '299 - "a" b, 299 - "c"'];
  assert.deepEqual(parseWarnings(headers), ["u"]);
  assert.deepEqual(parseWarnings(['299 - "good", 299 - "\xff", 299 - "lost"']), ["good"]);
});

/** Inside a text most of these are harmless; the last ones are not. */
const TEXTS = [
  ...['\\"', "\\\\", "\\a", ",", ", ", " ", "\t", "a", "word", "-", "299 -"],
  ...["größe", "☃", "😀", "\ufeff", "\ufffd"].map(bytes),
];
const HARMFUL = ["\xff", "\xe2\x98", "\x1b", "\x00", bytes("\u0085"), "\x7f", '"', "\\", '" "', '299 "', '2999 - "', "  "];

/** A header that is usually well-formed, with anything in between. */
function header(random: SeededRandom): string {
  const part = () => random.chance(0.05) ? random.pick(HARMFUL) : random.pick(TEXTS);
  const parts = () => Array.from({ length: random.below(5) }, part).join("");
  if (random.chance(0.1)) return parts().trim();
  let text = "";
  for (let warnings = 1 + random.below(3); warnings > 0; warnings--) {
    const date = random.chance(0.2) ? ' "Mon, 02 Jan 2006 15:04:05 GMT"' : "";
    const end = warnings > 1 ? random.pick([", ", ",", " ,  ", ", ", random.chance(0.2) ? " " : ","]) : "";
    text += `${random.pick(["299", "299", "199"])} ${random.pick(["-", "kube-apiserver:1.34", bytes("ä")])} "${parts()}"${date}${end}`;
  }
  return text;
}

Deno.test({
  ...withGo("parseWarnings() reads generated headers as client-go does"),
  fn: async () => {
    const random = new SeededRandom(7);
    const cases = Array.from({ length: 5_000 }, () => Array.from({ length: 1 + random.below(2) }, () => header(random)));
    const program = fileURLToPath(new URL("../../tests/warnings/main.go", import.meta.url));
    // This module has the Kubernetes packages of the test cluster's version.
    const cwd = fileURLToPath(new URL("../../tests/cluster/programs/kubernetes/", import.meta.url));
    const go = new Deno.Command("go", {
      args: ["run", program],
      cwd,
      env: { GOTOOLCHAIN: "auto" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = go.stdin.getWriter();
    const written = writer.write(new TextEncoder().encode(cases.map((headers) => JSON.stringify(headers.map(btoa)) + "\n").join("")));
    const [{ success, stdout, stderr }] = await Promise.all([go.output(), written.then(() => writer.close())]);
    assert.ok(success, new TextDecoder().decode(stderr));
    const expected = new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => JSON.parse(line) as string[]);
    assert.ok(expected.filter((texts) => texts.length > 0).length > 1_000, "most cases are without a warning");
    for (const [index, headers] of cases.entries()) assert.deepEqual(parseWarnings(headers), expected[index], JSON.stringify(headers));
  },
});
