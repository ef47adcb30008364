/**
 * Gives CommonJS modules in a bundle what Node gives them. A bundle is an ES module, so it has no `require`, `__filename` or `module`
 * of Node's; esbuild, which Deno's bundler uses too, wraps each CommonJS module in a function and gives it a bare `{ exports: {} }`.
 *
 * @module
 */

/** They are global and not declared: modules may declare such names themselves. */
const GLOBAL_NAMES = [
  'import { createRequire as __kurun_createRequire, Module as __kurun_Module } from "node:module";',
  "globalThis.require ??= __kurun_createRequire(import.meta.url);",
  "globalThis.__filename ??= import.meta.filename;",
  "globalThis.__dirname ??= import.meta.dirname;\n",
].join(" ");

/** How esbuild makes a module's `module`, within its helper `__commonJS`. */
const BARE_MODULE = /\(mod = \{ exports: \{\} \}\)(?=\.exports, mod\))/;
/** A bundle ends so where its main module is CommonJS. All its other modules run when they are required, so this one is made first. */
const COMMONJS_MAIN = /(?:^|\n)export default require_\w+\(\);\s*(?:\/\/#[^\n]*\s*)*$/;

/**
 * Makes modules as Node does. The main module is `require.main`, with the file's name and no parent; all others have a parent, so that
 * neither `require.main === module` nor `!module.parent` takes a package for the program.
 */
function moduleMaker(mainIsCommonJs: boolean): string {
  return `var __kurun_main = ${mainIsCommonJs ? "null" : "undefined"};
var __kurun_module = (name) => {
  const isMain = __kurun_main === null;
  const made = new __kurun_Module(isMain ? "." : name, isMain ? undefined : __kurun_main ?? new __kurun_Module("."));
  made.filename = isMain ? import.meta.filename : name;
  if (!isMain) return made;
  made.parent = null;
  __kurun_main = globalThis.require.main = process.mainModule = made;
  if (typeof __require === "function") __require.main = made;
  return made;
};
`;
}

/** Puts before a bundle what its CommonJS modules look for. A main module of ES stays as it is. */
export function withCommonJs(bundle: string): string {
  if (!BARE_MODULE.test(bundle)) return GLOBAL_NAMES + bundle;
  const changed = bundle.replace(BARE_MODULE, "(mod = __kurun_module(__getOwnPropNames(cb)[0]))");
  return GLOBAL_NAMES + moduleMaker(COMMONJS_MAIN.test(bundle)) + changed;
}
