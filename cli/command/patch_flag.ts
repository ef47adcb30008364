import { parseDocument } from "yaml";
import { usageError } from "./errors.ts";

/** Reads the value of a flag that takes JSON, YAML, or `@` and a file of either. @throws {UserError} naming the flag */
export async function readPatchFlag(flag: string, text: string): Promise<unknown> {
  let source = text;
  if (text.startsWith("@")) {
    const file = text.slice(1);
    source = await Deno.readTextFile(file).catch((cause) => {
      throw usageError(`${flag}: cannot read ${file}: ${(cause as Error).message}`, { cause });
    });
  }
  const document = parseDocument(source);
  const [error] = document.errors;
  if (error) throw usageError(`${flag} is neither JSON nor YAML: ${error.message.split("\n")[0]}`);
  return document.toJS();
}
