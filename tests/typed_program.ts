import ts from "typescript";

const ROOT = new URL("../", import.meta.url).pathname;
const DENO_TYPES = "/deno.d.ts";

/** Deno's own compiler options that bear on types. */
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ["lib.esnext.d.ts"],
  types: [],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
  noEmit: true,
  skipLibCheck: true,
};

/**
 * Builds a TypeScript program of modules as Deno sees them: with Deno's own types, node's, and those of the packages in deno.json.
 *
 * @param paths the modules, from the project's root
 * @param planted further modules that exist in memory only, by path
 * @throws {Error} when a module or a global type cannot be resolved: its values would silently be `any`
 */
export async function typedProgram(paths: readonly string[], planted: Readonly<Record<string, string>> = {}): Promise<ts.Program> {
  const inMemory = new Map(Object.entries(planted).map(([path, text]) => [ROOT + path, text]));
  inMemory.set(DENO_TYPES, await denoOutput(["types"]));
  const packages = await packageFolders();
  const unresolved = new Set<string>();

  const host = ts.createCompilerHost(OPTIONS);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => inMemory.has(path) || fileExists(path);
  host.readFile = (path) => inMemory.get(path) ?? readFile(path);
  host.getSourceFile = (path, target, ...more) => {
    const text = inMemory.get(path);
    return text === undefined ? getSourceFile(path, target, ...more) : ts.createSourceFile(path, text, target, true);
  };
  host.resolveModuleNameLiterals = (literals, containing, _redirected, options) =>
    literals.map(({ text: name }) => {
      if (!name.startsWith(".")) {
        const entry = packages.get(name);
        if (entry) return ts.resolveModuleName(entry, containing, options, host);
        // Modules of node are declared by @types/node, not found as files.
        if (!name.startsWith("node:") && containing.startsWith(ROOT)) unresolved.add(`${name} in ${containing}`);
      }
      return ts.resolveModuleName(name, containing, options, host);
    });

  const program = ts.createProgram(
    [...inMemory.keys(), `${packages.get("@types/node")}/index.d.ts`, ...paths.map((path) => ROOT + path)],
    OPTIONS,
    host,
  );
  const problems = [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics()].map(({ messageText }) =>
    ts.flattenDiagnosticMessageText(messageText, "\n")
  );
  const missing = [...unresolved, ...problems];
  if (missing.length > 0) throw new Error(`not resolved: ${missing.join("; ")}`);
  return program;
}

/** Where Deno keeps what each name in deno.json's imports stands for, and each package that those depend on. */
async function packageFolders(): Promise<Map<string, string>> {
  const { npmPackages } = JSON.parse(await denoOutput(["info", "--json", `${ROOT}main.ts`])) as {
    npmPackages: Record<string, { name: string; localPath: string }>;
  };
  const folders = new Map(Object.values(npmPackages).map(({ name, localPath }) => [name, localPath]));
  const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`)) as { imports: Record<string, string> };
  for (const [name, specifier] of Object.entries(imports)) {
    const [, packageName = "", file = ""] = /^npm:(@?[^@]+)@[^/]+(\/.*)?$/.exec(specifier) ?? [];
    const folder = folders.get(packageName);
    if (folder) folders.set(name, folder + file);
  }
  const typesOfWs = folders.get("@types/ws");
  if (typesOfWs) folders.set("ws", typesOfWs);
  return folders;
}

async function denoOutput(args: readonly string[]): Promise<string> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), { args: [...args], env: { NO_COLOR: "1" }, stderr: "inherit" }).output();
  if (code !== 0) throw new Error(`deno ${args.join(" ")} ended with exit code ${code}`);
  return new TextDecoder().decode(stdout);
}
