/** Checks that the man pages in man/ are right for those who read them: mandoc and groff. */
import assert from "node:assert/strict";
import { testUnless } from "../release/validators.ts";

const MAN = new URL("../man/", import.meta.url);
const PAGES = (await Array.fromAsync(Deno.readDir(MAN))).map(({ name }) => name).sort();

/** Runs a program on pages. @returns what it printed on both outputs */
async function output(program: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const { stdout, stderr } = await new Deno.Command(program, { args, cwd: MAN, env: { LC_ALL: "C.UTF-8" } }).output();
  return { stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** A test that needs a program. */
async function testWith(program: string, title: string, fn: () => Promise<void>): Promise<void> {
  const found = await output(program).then(() => true, () => false);
  testUnless(found ? undefined : `no ${program} here`, title, fn);
}

await testWith("mandoc", "mandoc finds nothing to complain about in the man pages", async () => {
  const { stdout, stderr } = await output("mandoc", "-T", "lint", "-W", "style", ...PAGES);
  assert.deepEqual([stdout, stderr], ["", ""]);
});

for (const [program, options] of [["groff", ["-Tutf8", "-P-c", "-rLL=500n", "-ww"]], ["mandoc", ["-Tutf8", "-Owidth=500"]]] as const) {
  await testWith(program, `${program} shows every flag, argument, exit code and example of docs/cli.md, and no markup`, async () => {
    const reference = await Deno.readTextFile(new URL("../docs/cli.md", import.meta.url));
    const [, ...sections] = reference.split(/^## /m);
    const find = (title: string) => sections.find((section) => section.startsWith(`${title}\n`)) ?? assert.fail(title);
    const commands = sections.filter((section) => section.startsWith("kurun "));
    assert.equal(commands.length, PAGES.length - 1);
    const codes = [...find("Exit codes").matchAll(/^\| \d+ \| (.*) \|$/gm)].map(([, meaning]) => meaning as string);
    assert.equal(codes.length, 6);
    for (const command of commands) {
      const page = `kurun-${/^kurun (\S+)/.exec(command)?.[1]}.1`;
      const section = [command, ...[...command.matchAll(/\[(\w+)\]\(#options/g)].map(([, group]) => find(`Options: ${group}`))].join("");
      const { stdout, stderr } = await output(program, ...options, "-man", page);
      assert.equal(stderr, "", page);
      // Bold and italic letters are letters that are printed twice, or over an underscore.
      const shown = stdout.replace(/.[\b]/g, "");
      assert.doesNotMatch(shown, /\\|`/, page);
      const words = shown.replace(/\s+/g, " ");
      const rows = [...section.matchAll(/^\| `(-.*?)` \| (.*?) ?\| (.*) \|$/gm)].flatMap(([, flags = "", value = "", text = ""]) => [
        bare(flags),
        value === "" ? text : `${text} (default: ${value})`,
      ]);
      const args = [...command.matchAll(/^`([<[].*[>\]])`: (.*)$/gm)].flatMap(([, name = "", text = ""]) => [bare(name), text]);
      const examples = /```\n([^]*?)```/.exec(section)?.[1]?.split("\n") ?? [];
      for (const expected of [...rows, ...args, ...examples, ...codes]) {
        const text = expected.replaceAll("`", "").replaceAll("\\|", "|").trim();
        assert.ok(words.includes(text), `${page} lacks ${text}`);
      }
    }
  });
}

/** Flags as a man page has them: without the brackets that mark what the user replaces. */
function bare(flags: string): string {
  return flags.replace(/<([^>]*)>/, "$1");
}
