/**
 * Plain text for terminals: wrapping, columns and the few colours that the summary uses.
 *
 * @module
 */
import { formatCount, formatDurationNs, NS_PER_S } from "../base/units.ts";

/** Paints a piece of text, or leaves it alone. */
export interface Paint {
  /** Headings. */
  bold(text: string): string;
  /** What is only there for completeness. */
  dim(text: string): string;
  /** What held. */
  good(text: string): string;
  /** What failed. */
  bad(text: string): string;
  /** What bound. */
  hot(text: string): string;
}

/** With `colour`, ANSI escapes; without, the text as it is. */
export function paint(colour: boolean): Paint {
  const by = (code: string) => (text: string) => colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  return { bold: by("1"), dim: by("2"), good: by("32"), bad: by("1;31"), hot: by("1;33") };
}

/**
 * Breaks `text` into lines of at most `width` columns at spaces; a longer word stands alone on its line. Every line
 * begins with `indent`. Uncoloured text only: escapes would count as columns.
 */
export function wrap(text: string, width: number, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  if (line !== "") lines.push(indent + line);
  return lines;
}

/** A time given in seconds, to three significant digits: `"283 ms"`, `"61.5 s"`. */
export function seconds(value: number): string {
  return formatDurationNs(Math.round(value * NS_PER_S), 3);
}

/** A share of a whole for people: `"12%"`, `"0.3%"`, `"under 0.1%"`, and `"100%"` only for all of it. */
export function percent(part: number, whole: number): string {
  if (whole <= 0 || part <= 0) return "0%";
  if (part >= whole) return part === whole ? "100%" : `${Math.round(100 * part / whole)}%`;
  const share = 100 * part / whole;
  if (share < 0.1) return "under 0.1%";
  return share < 10 || share > 99 ? `${Math.min(99.9, Math.round(share * 10) / 10)}%` : `${Math.round(share)}%`;
}

/** `"1 port"`, `"2 ports"`; `many` where an s is not enough. The count is written with separators. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Bytes to three significant digits, in powers of 1,000: `"181 MB"`, `"1.34 GB"`. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let scaled = count;
  let at = 0;
  while (scaled >= 999.5 && at < units.length - 1) {
    scaled /= 1000;
    at++;
  }
  return `${Number(scaled.toPrecision(3))} ${units[at]}`;
}
