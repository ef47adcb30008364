import assert from "node:assert/strict";
import { programPath, testUnless, testWith } from "../../release/validators.ts";
import { animatedSvg, type Frame, withoutPauses } from "./animated_svg.ts";

const PICTURE = new URL("../../docs/demo.svg", import.meta.url);
const TERMINALS = [{ title: "one <&>", columns: 20, rows: 2 }, { title: "two", columns: 10, rows: 1 }];
const FRAMES: readonly Frame[] = [
  { at: 0, screens: [["$ a < b & c"], []] },
  { at: 2_000, screens: [["$ a < b & c", "said"], ["x"]] },
  { at: 4_000, screens: [["$ a < b & c", "more"], ["x"]] },
];

/** The lines of a picture, with the times in milliseconds at which they are shown, as XML's own parser in Python reads them. */
async function read(svg: string): Promise<{ text: string; animation: string; length: number }[]> {
  const program = `import json, sys, xml.etree.ElementTree as tree
texts = [e for e in tree.parse(sys.stdin).iter() if e.tag.endswith("}text")]
print(json.dumps([{"text": e.text, "animation": e.get("style", ""), "length": float(e.get("textLength", 0))} for e in texts]))`;
  const python = new Deno.Command("python3", { args: ["-c", program], stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn();
  const writer = python.stdin.getWriter();
  await writer.write(new TextEncoder().encode(svg));
  await writer.close();
  const { success, stdout } = await python.output();
  assert.ok(success, "not well-formed");
  return JSON.parse(new TextDecoder().decode(stdout));
}

await testWith("python3", "an animated SVG shows each line from the first frame that has it to the first that has not", async () => {
  const svg = animatedSvg(TERMINALS, FRAMES);
  const lines = await read(svg);
  const stops = (animation: string) => /@keyframes NAME\{(.*)\}$/m.source.replace("NAME", animation.slice("animation-name:".length));
  const shown = lines.map(({ text, animation }) => [text, animation && new RegExp(stops(animation), "m").exec(svg)?.[1]]);
  assert.deepEqual(shown, [
    ["one <&>", ""],
    ["$ a < b & c", ""],
    ["said", "0%{visibility:hidden}20%{visibility:visible}40%{visibility:hidden}"],
    ["more", "0%{visibility:hidden}40%{visibility:visible}"],
    ["two", ""],
    ["x", "0%{visibility:hidden}20%{visibility:visible}"],
  ]);
});

Deno.test("long pauses are shortened, and short ones stay", () => {
  assert.deepEqual(withoutPauses(FRAMES.map((frame, n) => ({ ...frame, at: [700, 800, 9_000][n] as number })), 1_500).map(({ at }) => at), [
    0,
    100,
    1_600,
  ]);
});

await testWith(
  "python3",
  "the demo is small, shows a webhook that allows and denies, and has nothing of the machine that recorded it",
  async () => {
    const svg = await Deno.readTextFile(PICTURE);
    assert.ok(svg.length < 60_000, `${svg.length} bytes`);
    assert.doesNotMatch(svg, /<script|@import|url\(|https?:\/\/(?!localhost:9|www\.w3\.org\/2000\/svg)|\/(root|home|tmp|work)\b|eyJ/);
    const lines = (await read(svg)).map(({ text }) => text);
    for (
      const line of [
        /^\$ kurun webhook 9443 .* -- go run \.\/cmd /,
        /^\d\d:\d\d:\d\d CREATE guestbooks\.kurun\.example\/lobby in default by admin -> allowed/,
        /CREATE guestbooks\.kurun\.example\/huge in default by admin -> denied: spec\.maxEntries must/,
        /^guestbook\.kurun\.example\/lobby created$/,
        /^Error from server \(Forbidden\): .*/,
        /^No resources found in default namespace\.$/,
        /^No resources found$/,
      ]
    ) assert.ok(lines.some((text) => line.test(text)), `${line}\n${lines.join("\n")}`);
  },
);

const BROWSER = await programPath("chromium") ?? await programPath("google-chrome");
const PATIENCE_MS = 60_000;
testUnless(
  BROWSER ? undefined : "neither chromium nor google-chrome is here",
  "a browser shows the demo in a page, and it changes",
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "kurun-demo-" });
    const svg = await Deno.readTextFile(PICTURE);
    /** The page as the browser paints it when the animation has come to a time. */
    const picture = async (seconds: number) => {
      await Deno.writeTextFile(`${folder}/demo.svg`, svg.replace(" step-end ", ` ${-seconds}s paused step-end `));
      await Deno.writeTextFile(`${folder}/page.html`, '<body style="margin:0"><img src="demo.svg">');
      const args = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=830,640",
        `--user-data-dir=${folder}/profile`,
      ];
      const { success, stderr } = await new Deno.Command(BROWSER as string, {
        args: [...args, `--screenshot=${folder}/page.png`, `file://${folder}/page.html`],
        signal: AbortSignal.timeout(PATIENCE_MS),
      }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
      return await Deno.readFile(`${folder}/page.png`);
    };
    try {
      const [, length] = /animation:([\d.]+)s /.exec(svg) ?? [];
      const [early, late] = [await picture(0), await picture(Number(length) - 1)];
      // What is drawn compresses worse than an empty page.
      assert.ok(late.length > 1.5 * early.length, `${early.length} and then ${late.length} bytes`);
    } finally {
      // The browser may still write to its profile.
      await Deno.remove(folder, { recursive: true }).catch(() => {});
    }
  },
);
