/**
 * What a scalar of a manifest means to kubectl, which reads YAML by go-yaml v2: a mixture of YAML 1.1 and 1.2 in which `yes`, `on` and `y`
 * are true, `010` is eight, `12e4567` (a commit hash, or a number beyond all floats) is text, and so are `1:30` and dates. Pure.
 * tests/kubectl_yaml_test.ts compares this with go-yaml itself.
 */

import type { Node } from "yaml";
import { exactNumber } from "../api/exact_json.ts";

/** The value of a scalar: `bigint` is an integer, `number` a float. */
export type ScalarValue = null | boolean | bigint | number | string;

/** A value that an object cannot have, such as a scalar that contradicts its tag. The message says why. */
export class ValueError extends Error {
  override readonly name = "ValueError";

  /** @param node where it stands, as soon as that is known */
  constructor(message: string, public node?: Node) {
    super(message);
  }
}

/**
 * The value of a scalar. @throws ValueError if its tag demands another kind of value
 * @param tag the resolved one, such as `tag:yaml.org,2002:int`
 * @param plain whether it is neither quoted nor a block
 */
export function scalarValue(text: string, tag: string | undefined, plain: boolean): ScalarValue {
  if (tag === undefined) return plain ? plainValue(text) : text;
  const kind = tag.startsWith(YAML_TAG) ? tag.slice(YAML_TAG.length) : "";
  if (kind === "binary") return decodeBinary(text);
  if (kind === "timestamp" && isTimestamp(text)) return text;
  if (!TAGGED_KINDS.has(kind)) return text;
  const value = plainValue(text);
  if (kindOf(value) === kind) return value;
  if (kind === "float" && typeof value === "bigint" && value <= MAX_INT64) return Number(value);
  throw new ValueError(`!!${kind} cannot be ${kindOf(value)} (${text.slice(0, 40)})`);
}

const YAML_TAG = "tag:yaml.org,2002:";
/** Tags that demand a kind of value; under all others a scalar is text. */
const TAGGED_KINDS: ReadonlySet<string> = new Set(["null", "bool", "int", "float", "timestamp"]);

function kindOf(value: ScalarValue): string {
  if (value === null) return "null";
  return { boolean: "bool", bigint: "int", number: "float", string: "text" }[typeof value as "boolean" | "bigint" | "number" | "string"];
}

const WORDS: ReadonlyMap<string, ScalarValue> = new Map<string, ScalarValue>([
  ...["", "~", "null", "Null", "NULL"].map((word) => [word, null] as const),
  ...["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"].map((word) => [word, true] as const),
  ...["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"].map((word) => [word, false] as const),
  ...[".nan", ".NaN", ".NAN"].map((word) => [word, NaN] as const),
  ...[".inf", ".Inf", ".INF"].flatMap((word) => [[word, Infinity], [`+${word}`, Infinity], [`-${word}`, -Infinity]] as const),
]);

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
const MAX_UINT64 = 2n ** 64n - 1n;

const INTEGER = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
/** Go also reads a sign after the prefix. */
const SIGNED_BINARY = /^0b([-+])([01]+)$/;

/** The value of a plain scalar without a tag. */
export function plainValue(text: string): ScalarValue {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  // After a leading point, underscores must stand between digits; elsewhere they may stand anywhere.
  if (!/^[-+0-9]|^(?!.*_(?![0-9]))(?!.*[^0-9]_)\./.test(text)) return text;
  const digits = text.replaceAll("_", "");
  return readInteger(digits) ?? readFloat(digits) ?? text;
}

function readInteger(digits: string): bigint | undefined {
  const binary = SIGNED_BINARY.exec(digits);
  const [, sign = "", size] = binary ? [, binary[1], `0b${binary[2]}`] : INTEGER.exec(digits) ?? [];
  if (size === undefined) return undefined;
  const absolute = BigInt(/^0[0-7]+$/.test(size) ? `0o${size.slice(1)}` : size);
  const value = sign === "-" ? -absolute : absolute;
  // Only a number without a sign may use the 64th bit.
  return value >= MIN_INT64 && value <= (sign === "" ? MAX_UINT64 : MAX_INT64) ? value : undefined;
}

/** Undefined if it is not a float, or is too large: go-yaml reads such a number as text. */
function readFloat(digits: string): number | undefined {
  if (!FLOAT.test(digits)) return undefined;
  const value = Number(digits);
  return Number.isFinite(value) ? value : undefined;
}

/** Go's RFC 3339 with short fields, or a space and no zone, or a date alone. */
const TIMESTAMP =
  /^(\d{4})-(\d\d?)-(\d\d?)(?:[Tt](\d\d?):(\d\d?):(\d\d?)(?:[.,]\d+)?(?:Z|[-+](\d\d):(\d\d))| (\d\d?):(\d\d?):(\d\d?)(?:[.,]\d+)?)?$/;

function isTimestamp(text: string): boolean {
  const fields = TIMESTAMP.exec(text);
  if (!fields) return false;
  const [year, month, day, ...time] = fields.slice(1).map((field) => Number(field ?? 0)) as [number, number, number, ...number[]];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const limits = [24, 60, 60, 25, 60, 24, 60, 60];
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day && time.every((field, at) => field < limits[at]!);
}

/** The bytes of a `!!binary` as text, as Go's JSON has them: each byte that is not UTF-8 becomes U+FFFD. */
function decodeBinary(text: string): string {
  const base64 = text.replace(/[\r\n]/g, "");
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(base64)) {
    throw new ValueError("!!binary is not valid base64");
  }
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let decoded = "";
  for (let at = 0; at < bytes.length;) {
    const size = bytes[at]! < 0x80 ? 1 : bytes[at]! < 0xe0 ? 2 : bytes[at]! < 0xf0 ? 3 : 4;
    try {
      decoded += utf8.decode(bytes.subarray(at, at + size));
      at += size;
    } catch {
      decoded += "\ufffd";
      at++;
    }
  }
  return decoded;
}

/** A key's text; undefined for a key that kubectl refuses: null, or an integer of 64 bits without a sign. */
export function keyText(key: ScalarValue): string | undefined {
  if (key === null || typeof key === "bigint" && key > MAX_INT64) return undefined;
  return typeof key === "number" ? floatKey(key) : String(key);
}

/** A float as sigs.k8s.io/yaml makes it a key: Go's FormatFloat(key, 'g', -1, 32), the shortest text that gives the same float32. */
function floatKey(key: number): string {
  const float = Math.fround(key);
  if (Number.isNaN(float)) return ".nan";
  if (!Number.isFinite(float)) return float > 0 ? ".inf" : "-.inf";
  if (float === 0) return Object.is(float, -0) ? "-0" : "0";
  let precision = 1;
  while (Math.fround(Number(float.toPrecision(precision))) !== float) precision++;
  const [, sign, first, rest = "", exponent] = /^(-?)(\d)(?:\.(\d+))?e([-+]\d+)$/.exec(float.toExponential(precision - 1))!;
  const power = Number(exponent);
  const digits = `${first}${rest}`.replace(/0+$/, "");
  if (power < -4 || power >= 6) {
    const size = String(Math.abs(power)).padStart(2, "0");
    return `${sign}${digits[0]}${digits.length > 1 ? `.${digits.slice(1)}` : ""}e${power < 0 ? "-" : "+"}${size}`;
  }
  if (power < 0) return `${sign}0.${"0".repeat(-power - 1)}${digits}`;
  const whole = digits.slice(0, power + 1).padEnd(power + 1, "0");
  return `${sign}${whole}${digits.length > power + 1 ? `.${digits.slice(power + 1)}` : ""}`;
}

/** A number as JSON carries it, digit by digit if a JavaScript number would change it. @throws ValueError if JSON has no such number */
export function jsonNumber(value: bigint | number): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : exactNumber(String(value));
  if (Number.isFinite(value)) return Object.is(value, -0) ? exactNumber("-0") : value;
  throw new ValueError(`${value} is not a number that an object can have: quote it if it is text`);
}
