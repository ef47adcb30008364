/** A folder that kurun needs on this machine cannot be had; the message says which, why and what to do. */
export class FolderError extends Error {
  override readonly name = "FolderError";
}

/** Makes a new temporary folder. @throws FolderError if TMPDIR does not exist, is not a folder, is not writable or is full */
export async function temporaryFolder(prefix: string): Promise<string> {
  try {
    return await Deno.makeTempDir({ prefix });
  } catch (cause) {
    const names = Deno.build.os === "windows" ? ["TMP", "TEMP", "USERPROFILE"] : ["TMPDIR"];
    const name = names.find((name) => Deno.env.get(name) !== undefined);
    const where = name === undefined ? "/tmp" : `${name}=${Deno.env.get(name)}`;
    const why = (cause as Error).message.replace(/: tmpdir$/, "");
    throw new FolderError(
      `a temporary folder cannot be created in ${where}: ${why}. Set ${names[0]} to a folder that exists and that you may write to.`,
      { cause },
    );
  }
}

/** Removes a folder with its contents when the result goes out of scope. */
export function removedAtEnd(folder: string): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}
