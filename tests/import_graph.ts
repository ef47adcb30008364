import type { SourceFile } from "./source_files.ts";

/** Which node leads to which others. */
export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** The file that a relative specifier in `path` names, from the project's root. */
function resolveImport(path: string, specifier: string): string {
  return new URL(specifier, `file:///${path}`).pathname.slice(1);
}

/** The folder of a file: `cli/run` for `cli/run/run.ts`, `main.ts` for `main.ts`. */
export function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : path;
}

/** Which file imports which. */
export function fileGraph(files: readonly SourceFile[]): Graph {
  return new Map(files.map(({ path, imports }) => {
    const own = imports.filter((specifier) => specifier.startsWith("."));
    return [path, new Set(own.map((specifier) => resolveImport(path, specifier)))];
  }));
}

/** Which folder imports from which other one. */
export function folderGraph(files: readonly SourceFile[]): Graph {
  const graph = new Map<string, Set<string>>();
  for (const [path, targets] of fileGraph(files)) {
    const folder = folderOf(path);
    const others = graph.get(folder) ?? new Set();
    for (const other of [...targets].map(folderOf)) if (other !== folder) others.add(other);
    graph.set(folder, others);
  }
  return graph;
}

/**
 * Finds the circles of a graph: its strongly connected components of more than one node, and nodes that lead to themselves.
 * @returns each circle's nodes, sorted
 */
export function circles(graph: Graph): string[][] {
  // Tarjan's algorithm.
  const index = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (node: string): number => {
    let lowest = index.size;
    const own = lowest;
    index.set(node, own);
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!index.has(next)) lowest = Math.min(lowest, visit(next));
      else if (stack.includes(next)) lowest = Math.min(lowest, index.get(next) as number);
    }
    if (lowest === own) {
      const component = stack.splice(stack.indexOf(node));
      if (component.length > 1 || graph.get(node)?.has(node)) found.push(component.sort());
    }
    return lowest;
  };
  for (const node of graph.keys()) if (!index.has(node)) visit(node);
  return found.sort();
}
