/**
 * What the programs print, and the tables made of it.
 *
 * @module
 */
import { formatCount } from "../../src/base/units.ts";
import { bytes, counted, seconds } from "../../src/report/text.ts";

/** One run of one program. */
export interface Sample {
  /** Time of the simulation alone, s. */
  wallSeconds: number;
  /** Packets times links. */
  packetHops: number;
  /** Most memory of the process, bytes. */
  peakRssBytes: number;
  /** Connections whose handshake ended. */
  established: number;
  /** Requests answered in full. */
  replies: number;
}

/** One run of one flow. */
export interface BulkSample {
  /** Processor time of the simulation alone, s. */
  cpuSeconds: number;
  /** Data segments sent. */
  segments: number;
}

/** One run of requests over connections that are held. */
export interface HeldSample {
  /** Time of the requests alone, s. */
  wallSeconds: number;
  /** Packets times links. */
  packetHops: number;
  /** Requests answered in full. */
  requests: number;
}

/** All runs of one program with one number of connections; the same place is the same round for every program. */
export interface Series {
  /** The program. */
  name: string;
  /** Connections of its runs, where they were fewer than the others'. */
  connections?: number;
  /** Its runs. */
  samples: Sample[];
}

/** Reads the document of `simulate --json`. */
export function readFourtuple(text: string): Sample {
  const { wallSeconds, connections, packets, memory } = JSON.parse(text);
  return {
    wallSeconds,
    packetHops: packets.hops,
    peakRssBytes: memory.peakRssBytes,
    established: connections.established,
    replies: connections.repliesCompleted,
  };
}

/**
 * Reads the line of `native.c`, or that of the prototype whose figures the project's goals are in.
 *
 * @throws {SyntaxError} where it is neither.
 */
export function readNative(text: string): Sample {
  const line = /phase1 wall ([\d.]+) s hops (\d+).* est (\d+) done (\d+).* HWM (\d+) MB/.exec(text);
  if (line === null) {
    const { wallSeconds, packetHops, peakRssBytes, established, replies } = JSON.parse(text);
    return { wallSeconds, packetHops, peakRssBytes, established, replies };
  }
  const [wallSeconds, packetHops, ends, replies, mebibytes] = line.slice(1).map(Number);
  // It counts both ends of a connection.
  return { wallSeconds, packetHops, peakRssBytes: mebibytes * 2 ** 20, established: ends / 2, replies };
}

/**
 * Reads the prototype's line about its second phase.
 *
 * @throws {SyntaxError} where there is none.
 */
export function readHeld(text: string): HeldSample {
  const line = /phase2 .*wall ([\d.]+) s hops (\d+) .* done (\d+)/.exec(text);
  if (line === null) throw new SyntaxError("There is no line about a second phase.");
  const [wallSeconds, packetHops, requests] = line.slice(1).map(Number);
  return { wallSeconds, packetHops, requests };
}

/** The middle value; the mean of the two in the middle of an even number. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** `part` over `base`, run by run: what slows a whole round is in both. */
export function ratios(part: readonly number[], base: readonly number[]): number[] {
  return part.map((value, i) => value / base[i]);
}

const walls = (series: Series) => series.samples.map((sample) => sample.wallSeconds);
const peaks = (series: Series) => series.samples.map((sample) => sample.peakRssBytes);

/** `2.31`, and from where to where: `2.31 (2.20 to 2.52)`. */
export function withSpread(values: readonly number[], print: (value: number) => string): string {
  const middle = print(median(values));
  if (values.length < 2) return middle;
  return `${middle} (${print(Math.min(...values))} to ${print(Math.max(...values))})`;
}

const UNKNOWN = "?";

const times = (value: number) => `${value.toFixed(2)} x`;

/** Rows of cells as text: the first column to the left, the others to the right, two spaces between. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ").trimEnd() + "\n"
  ).join("");
}

/**
 * The table of one number of connections. Ratios are to the first program, if there are others, and of the cost of one
 * connection: a program that does fewer is compared by that.
 */
export function comparison(connections: number, all: readonly Series[]): string {
  const [base] = all;
  const compared = all.length > 1;
  const head = ["", "wall", "us/connection", "ns/hop", "peak memory", "bytes/connection"];
  if (compared) head.push(`time / ${base.name}`, `memory / ${base.name}`);
  const rows = all.map((series) => {
    const of = series.connections ?? connections;
    const scale = connections / of;
    const wall = median(walls(series));
    const peak = median(peaks(series));
    const row = [
      of === connections ? series.name : `${series.name} (${counted(of, "connection")})`,
      withSpread(walls(series), seconds),
      (wall * 1e6 / of).toFixed(1),
      `${Math.round(wall * 1e9 / series.samples[0].packetHops)}`,
      // (What the kernel takes is what the machine has less of: where other programs gave more back, it is not known.)
      peak > 0 ? bytes(peak) : UNKNOWN,
      peak > 0 ? `${Math.round(peak / of)}` : UNKNOWN,
    ];
    if (compared) {
      const scaled = (values: number[]) => values.map((value) => value * scale);
      const wallRatio = ratios(scaled(walls(series)), walls(base));
      const peakRatio = ratios(scaled(peaks(series)), peaks(base));
      row.push(series === base ? "" : withSpread(wallRatio, times));
      row.push(series === base ? "" : peak > 0 ? times(median(peakRatio)) : UNKNOWN);
    }
    return row;
  });
  const rounds = base.samples.length;
  const title = `${counted(connections, "connection")}: ` +
    (rounds === 1 ? "one run each" : `medians of ${rounds} rounds (lowest to highest)`);
  return `${title}\n\n${columns([head, ...rows])}`;
}

/** The table of one flow: data segments a second of processor time. Ratios are of the first program to the others. */
export function bulkComparison(
  title: string,
  all: readonly { name: string; samples: readonly BulkSample[] }[],
): string {
  const [base] = all;
  const paces = (samples: readonly BulkSample[]) => samples.map(({ cpuSeconds, segments }) => segments / cpuSeconds);
  const head = ["", "segments", "processor time", "segments/s"];
  if (all.length > 1) head.push(`${base.name} is faster by`);
  const rows = all.map(({ name, samples }) => {
    const row = [
      name,
      formatCount(samples[0].segments),
      seconds(median(samples.map(({ cpuSeconds }) => cpuSeconds))),
      formatCount(Math.round(median(paces(samples)))),
    ];
    if (all.length > 1) {
      row.push(samples === base.samples ? "" : withSpread(ratios(paces(base.samples), paces(samples)), times));
    }
    return row;
  });
  return `${title}\n\n${columns([head, ...rows])}`;
}

/** The table of requests over held connections. Ratios are of the first program to the others. */
export function heldComparison(
  title: string,
  all: readonly { name: string; samples: readonly HeldSample[] }[],
): string {
  const [base] = all;
  const paces = (samples: readonly HeldSample[]) => samples.map((sample) => sample.packetHops / sample.wallSeconds);
  const head = ["", "requests", "wall", "us/request", "packet-hops/s"];
  if (all.length > 1) head.push(`${base.name} does`);
  const rows = all.map(({ name, samples }) => {
    const wall = median(samples.map(({ wallSeconds }) => wallSeconds));
    const row = [
      name,
      formatCount(samples[0].requests),
      seconds(wall),
      (wall * 1e6 / samples[0].requests).toFixed(1),
      formatCount(Math.round(median(paces(samples)))),
    ];
    if (all.length > 1) {
      row.push(samples === base.samples ? "" : withSpread(ratios(paces(base.samples), paces(samples)), times));
    }
    return row;
  });
  return `${title}\n\n${columns([head, ...rows])}`;
}

/**
 * What one connection costs with few and with many, and by how much it grows. A program that had fewer connections than
 * the others says how many.
 */
export function growth(few: number, fewRuns: readonly Series[], many: number, manyRuns: readonly Series[]): string {
  const costs = (series: Series, of: number) => walls(series).map((wall) => wall / of);
  const head = ["cost of a connection", `of ${formatCount(few)}`, `of ${formatCount(many)}`, "growth"];
  const rows = manyRuns.map((series, i) => {
    const [least, most] = [fewRuns[i].connections ?? few, series.connections ?? many];
    const [before, after] = [costs(fewRuns[i], least), costs(series, most)];
    const name = most === many ? series.name : `${series.name} (${formatCount(least)} and ${formatCount(most)})`;
    return [name, seconds(median(before)), seconds(median(after)), withSpread(ratios(after, before), times)];
  });
  return columns([head, ...rows]);
}
