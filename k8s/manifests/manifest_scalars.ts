/**
 * What a plain scalar of a manifest means. Kubernetes' tools read YAML by go-yaml v2, which has its own mixture of YAML 1.1 and 1.2: `yes`,
 * `on` and `y` are true, `010` is eight, and `1:30` and dates are text.
 *
 * @module
 */

import type { ScalarTag } from "yaml";

/** A whole number that a JavaScript number cannot hold goes to the API server digit by digit. */
const raw = (digits: string) => (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(digits);

const MAX_UINT64 = 2n ** 64n - 1n;
const MIN_INT64 = -(2n ** 63n);

const INTEGER = /^[-+]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]*|[1-9][0-9_]*)$/;
/** What begins with a point has no underscores. */
const FLOAT = /^(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|(?:[-+]\.[0-9][0-9_]*|[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE]_*[-+]?_*[0-9][0-9_]*)?)$/;

/** The tags that a plain scalar may have by itself; all else is text. */
export const PLAIN_TAGS: ScalarTag[] = [
  tag("null", /^(?:~|null|Null|NULL)?$/, () => null),
  tag("bool", /^(?:[yY]|yes|Yes|YES|true|True|TRUE|on|On|ON)$/, () => true),
  tag("bool", /^(?:[nN]|no|No|NO|false|False|FALSE|off|Off|OFF)$/, () => false),
  tag("int", INTEGER, readInteger),
  tag("float", FLOAT, (text) => Number(text.replaceAll("_", ""))),
];

function tag(name: string, test: RegExp, resolve: (text: string) => unknown): ScalarTag {
  return { default: true, tag: `tag:yaml.org,2002:${name}`, test, resolve };
}

function readInteger(text: string): unknown {
  const [, sign = "", digits = ""] = /^([-+]?)(.*)$/.exec(text.replaceAll("_", "").toLowerCase()) ?? [];
  const octal = /^0o?([0-7]+)$/.exec(digits);
  const size = BigInt(octal ? `0o${octal[1]}` : digits);
  const value = sign === "-" ? -size : size;
  if (Number.isSafeInteger(Number(value))) return Number(value);
  return value > MAX_UINT64 || value < MIN_INT64 ? Number(value) : raw(String(value));
}
