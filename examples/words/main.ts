/**
 * Counts the words of its standard input: a TypeScript program with packages from npm.
 *
 *     kurun run examples/words -- --top 3 < README.md
 *
 * @module
 */
import process from "node:process";
import colors from "picocolors";
import parse from "yargs-parser";
import { countWords } from "./count_words.ts";
import settings from "./settings.json" with { type: "json" };

if (import.meta.main) {
  const { top } = parse(Deno.args, { number: ["top"], default: { top: settings.top } });
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
  for (const [word, count] of countWords(text).slice(0, top)) console.log(`${colors.bold(String(count))} ${word}`);
}
