/** One line of the table. A cell that is left out stays empty. */
export interface Row {
  readonly what: string;
  readonly direct?: string;
  readonly through?: string;
  /** What goes through kurun as a part of what goes directly, or another comparison. */
  readonly share?: string;
}

/** The table's first two lines, in Markdown. */
export const TABLE_HEAD = "| what | direct | through kurun | share |\n| --- | --- | --- | --- |\n";

/** A row in Markdown, with its line's end. */
export function rowText({ what, direct = "", through = "", share = "" }: Row): string {
  return `| ${[what, direct, through, share].map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
}

/** The middle one; of an even number the upper of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** A whole number with commas, as people read it: 112,860. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** What part `through` is of `direct`, in percent. */
export function percent(through: number, direct: number): string {
  return `${(100 * through / direct).toFixed(1)} %`;
}

/** Milliseconds as seconds: 0.08 s. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
