/**
 * Gives CommonJS modules in a bundle what Node gives them. A bundle is an ES module, which has no `require`, `__filename` or `module`.
 * esbuild, which Deno's bundler uses too, wraps each CommonJS module in a function whose `module` is only `{ exports: {} }`.
 *
 * @module
 */

/** Sets global names instead of declaring them: modules may declare the same names. */
const GLOBAL_NAMES = [
  'import { createRequire as __kurun_createRequire, Module as __kurun_Module } from "node:module";',
  "globalThis.require ??= __kurun_createRequire(import.meta.url);",
  "globalThis.__filename ??= import.meta.filename;",
  "globalThis.__dirname ??= import.meta.dirname;\n",
].join(" ");

/** Where esbuild's helper `__commonJS` creates `module`. */
const BARE_MODULE = /\(mod = \{ exports: \{\} \}\)(?=\.exports, mod\))/;
/** The end of a bundle whose main module is CommonJS. Other modules run when they are required, so the main one is created first. */
const COMMONJS_MAIN = /(?:^|\n)export default require_\w+\(\);\s*(?:\/\/#[^\n]*\s*)*$/;

/** Creates modules like Node's: only the main one is `require.main`, and only it has no `module.parent`, which packages ask about. */
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

/** Adds what CommonJS modules need to a bundle. */
export function withCommonJs(bundle: string): string {
  if (!BARE_MODULE.test(bundle)) return GLOBAL_NAMES + bundle;
  const changed = bundle.replace(BARE_MODULE, "(mod = __kurun_module(__getOwnPropNames(cb)[0]))");
  return GLOBAL_NAMES + moduleMaker(COMMONJS_MAIN.test(bundle)) + changed;
}
