/**
 * What `--dump` prints on the way, and what `--series FILE` writes.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { formatDurationNs } from "../base/units.ts";
import { checkDumpKind, type DumpKind } from "../network/dump.ts";
import { selectNodes } from "../network/node_selection.ts";
import type { Series, SeriesOptions, SeriesRow } from "../network/series.ts";
import type { Mark, Simulation } from "../network/simulation.ts";
import { pathFromInvocation } from "./files.ts";
import { GrowingFiles, type LineWriter } from "./output.ts";

/** A dump that was asked for. */
export interface DumpRequest {
  /** What. */
  kind: DumpKind;
  /** Of which nodes; all without it. */
  nodes?: string;
  /** When, ns; undefined: at the end. */
  atNs?: number;
}

/** `sockets`, `nat@gw`, `routes@r1,r2`. Throws `InputError`. */
export function parseDump(text: string): Omit<DumpRequest, "atNs"> {
  const at = text.indexOf("@");
  if (at < 0) return { kind: checkDumpKind(text.trim()) };
  return { kind: checkDumpKind(text.slice(0, at).trim()), nodes: text.slice(at + 1) };
}

/** Prints dumps at their times; those whose time does not come, at the end. */
export class Dumps {
  readonly #simulation: Simulation;
  readonly #lines: LineWriter;
  readonly #left: DumpRequest[];

  /** Looks at `simulation`, writes to `lines`. Throws `InputError` for nodes that there are not. */
  constructor(simulation: Simulation, lines: LineWriter, requests: readonly DumpRequest[]) {
    this.#simulation = simulation;
    this.#lines = lines;
    this.#left = [...requests];
    for (const { nodes } of requests) if (nodes !== undefined) selectNodes(simulation.partition.nodes, nodes);
    for (const atNs of new Set(requests.flatMap(({ atNs }) => atNs ?? []))) {
      // (Marks stand at whole milliseconds.)
      const mark: Mark = {
        inThreads: true,
        nextNs: Math.ceil(atNs / 1e6) * 1e6,
        reached: () => {
          mark.nextNs = Infinity;
          this.#print((one) => one.atNs === atNs);
        },
      };
      simulation.marks.push(mark);
    }
  }

  /** The run has ended. */
  commit(): void {
    this.#print(() => true);
  }

  /** The run has failed. */
  discard(): void {}

  #print(which: (request: DumpRequest) => boolean): void {
    const now = formatDurationNs(this.#simulation.nowNs);
    for (const request of this.#left.filter(which)) {
      this.#left.splice(this.#left.indexOf(request), 1);
      const { kind, nodes, atNs } = request;
      const early = atNs !== undefined && this.#simulation.nowNs < atNs
        ? ` (the run was over before ${formatDurationNs(atNs)})`
        : "";
      this.#lines.write(`--- ${kind}${nodes === undefined ? "" : ` of ${nodes}`} at ${now}${early}`);
      this.#lines.write(this.#simulation.dump(kind, nodes));
    }
  }
}

/** Columns of a CSV file, in the order of the document's fields. */
const COLUMNS: readonly (keyof SeriesRow)[] = [
  "timeSeconds",
  "node",
  "synSent",
  "synReceived",
  "established",
  "finWait1",
  "finWait2",
  "closeWait",
  "closing",
  "lastAck",
  "timeWait",
  "acceptQueue",
  "files",
  "opensPerSecond",
  "establishedPerSecond",
  "acceptedPerSecond",
  "closesPerSecond",
  "failuresPerSecond",
  "failures",
  "exchangesPerSecond",
  "answersPerSecond",
  "packetsInPerSecond",
  "packetsOutPerSecond",
  "bitsInPerSecond",
  "bitsOutPerSecond",
  "dropsPerSecond",
  "drops",
  "goodputBps",
  "portsUsed",
  "portsCapacity",
  "natSessions",
  "natPortsUsed",
  "natPortsCapacity",
  "natBlocksUsed",
  "natBlocksCapacity",
  "natRefused",
  "queueBytes",
  "queueDrops",
  "cpuQueue",
  "memoryBytes",
  "flows",
];

/** The file of a series: whole after the run, or not there. */
export class SeriesOut {
  readonly #files = new GrowingFiles();
  readonly #series: Series;

  /** Samples `simulation` into `file`, whose ending says how: `.csv` or `.jsonl`. Throws `InputError`. */
  constructor(simulation: Simulation, file: string, options: SeriesOptions) {
    const csv = isCsv(file);
    const path = pathFromInvocation(file);
    const encoder = new TextEncoder();
    const write = (line: string) => this.#files.append(path, encoder.encode(`${line}\n`));
    this.#series = simulation.series(options, (row) => write(csv ? csvLine(row) : jsonLine(row)));
    if (csv) write(COLUMNS.join(","));
    else this.#files.append(path, new Uint8Array());
  }

  /** The run has ended. */
  commit(): void {
    this.#series.finish();
    this.#files.commit();
  }

  /** Leaves nothing behind. */
  discard(): void {
    this.#series.stop();
    this.#files.discard();
  }
}

/** Which of the two formats a file's name asks for. Throws `InputError`. */
export function isCsv(file: string): boolean {
  if (/\.csv$/i.test(file)) return true;
  if (/\.jsonl$/i.test(file)) return false;
  throw new InputError(`--series writes .csv or .jsonl, and ${file} is neither.`);
}

/** Three decimals are enough of a rate. */
function rounded(value: number): number {
  return Number.isInteger(value) ? value : Math.round(value * 1000) / 1000;
}

function csvLine(row: SeriesRow): string {
  return COLUMNS.map((column) => {
    const value = row[column];
    if (typeof value === "number") return column === "timeSeconds" ? `${value}` : `${rounded(value)}`;
    if (typeof value === "string") return value;
    return Object.entries(value).map(([reason, count]) => `${reason}:${count}`).join(" ");
  }).join(",");
}

function jsonLine(row: SeriesRow): string {
  return JSON.stringify(Object.fromEntries(COLUMNS.map((column) => [column, row[column]])));
}
