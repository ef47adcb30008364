import { findProgram } from "./cluster/commands.ts";

const there = await findProgram("go") !== undefined;

/** The name of a test that runs go, and whether it is ignored: without go in PATH it is, and its name says so. */
export function withGo(name: string): { readonly name: string; readonly ignore: boolean } {
  return { name: there ? name : `${name} (skipped: no go in PATH)`, ignore: !there };
}
