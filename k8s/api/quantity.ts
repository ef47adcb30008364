/** The factor of each suffix of a quantity. */
const FACTORS: Readonly<Record<string, number>> = {
  ...Object.fromEntries(["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].map((suffix, index) => [suffix, 1000 ** (index - 3)])),
  ...Object.fromEntries(["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].map((suffix, index) => [suffix, 1024 ** (index + 1)])),
};

/** A quantity such as `20m`, `1.5`, `1e3` or `640Mi` in thousandths, rounded up as Kubernetes does; NaN for other text. */
export function milliOf(quantity: string): number {
  const [, number, suffix = ""] = /^([+-]?[\d.]+(?:[eE][+-]?\d+)?)([a-zA-Z]*)$/.exec(quantity) ?? [];
  // Fifteen digits are exact: 4.35 * 1000 is not.
  return Math.ceil(Number((Number(number) * (FACTORS[suffix] ?? NaN) * 1000).toPrecision(15)));
}
