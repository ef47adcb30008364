import ts from "typescript";

/** A module of the product, with what it imports. */
export interface SourceFile {
  /** From the project's root, such as `cli/run/run.ts`. */
  readonly path: string;
  readonly text: string;
  /** Every specifier it names: `import`, `import type`, `export … from`, `import(…)` and `import("…").Type`. */
  readonly imports: readonly string[];
}

/** The folders that hold the product's code; `main.ts` lies next to them. */
const FOLDERS = ["cli", "k8s", "server", "tunnel"];

/** Reads a module's text. Strings and comments that look like imports do not count. */
export function sourceFile(path: string, text: string): SourceFile {
  return { path, text, imports: ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName) };
}

/** Reads the product's code, without its tests. */
export async function sourceFiles(): Promise<SourceFile[]> {
  const root = new URL("../", import.meta.url);
  const files: SourceFile[] = [];
  const read = async (path: string) => files.push(sourceFile(path, await Deno.readTextFile(new URL(path, root))));
  const readFolder = async (folder: string) => {
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
      if (isDirectory) await readFolder(`${folder}/${name}`);
      else if (name.endsWith(".ts") && !name.endsWith("_test.ts")) await read(`${folder}/${name}`);
    }
  };
  for (const folder of FOLDERS) await readFolder(folder);
  await read("main.ts");
  return files;
}
