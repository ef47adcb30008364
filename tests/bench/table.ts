/** One row of the table. An absent cell stays empty. */
export interface Row {
  readonly what: string;
  readonly direct?: string;
  readonly through?: string;
  /** What goes through kurun as a share of the direct way, or another comparison. */
  readonly share?: string;
}

/** The columns of a table whose lines are {@link Row}s. */
export const COLUMNS = ["what", "direct", "through kurun", "share"];

/** The first two lines of a table, in Markdown. */
export function headText(columns: readonly string[]): string {
  return lineText(columns) + lineText(columns.map(() => "---"));
}

/** A row in Markdown, with its line break. */
export function rowText({ what, direct = "", through = "", share = "" }: Row): string {
  return lineText([what, direct, through, share]);
}

/** A line of a table in Markdown, with its line break. */
export function lineText(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
}

/** The median; the upper one of the two in the middle, NaN for none. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** A whole number with commas: 112,860. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** `through` as a percentage of `direct`. */
export function percent(through: number, direct: number): string {
  return `${(100 * through / direct).toFixed(1)} %`;
}

/** Milliseconds as seconds: 0.08 s. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
