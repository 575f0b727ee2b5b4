/**
 * Stimulus traces: a CBOR sequence (RFC 8742) of a header and one item for each connection. `docs/import.md` is the
 * specification.
 *
 * @module
 */
import { parseAddress } from "../base/address.ts";
import { InputError } from "../base/errors.ts";
import { decodeItem, encodeItem } from "../trace/cbor.ts";
import { ItemReader } from "../trace/items.ts";
import type { Stimulus, StimulusCall, StimulusSegment } from "./stimulus.ts";

/** What the header says that it is. */
export const STIMULUS_FORMAT = "fourtuple-stimulus";
/** Version of the format. */
export const STIMULUS_VERSION = 1;
/** A run lasts so long at most, ns. */
const LONGEST_NS = 2 * 86_400e9;
const CALLS = ["write", "shutdown", "close", "abort"] as const;

/** The items of a trace, ready to be written one after the other. `engine` is fourtuple's version. */
export function encodeStimuli(stimuli: readonly Stimulus[], engine: string): Uint8Array[] {
  const header = { format: STIMULUS_FORMAT, version: STIMULUS_VERSION, engine, connections: stimuli.length };
  return [
    encodeItem(header),
    ...stimuli.map(({ end, local, localPort, remote, remotePort, inputs, answers, calls }) =>
      encodeItem([
        ...[end, local, localPort, remote, remotePort],
        inputs.map(rowOf),
        answers.map(rowOf),
        calls.map(({ timeNs, kind, bytes }) => [timeNs, kind, bytes]),
      ])
    ),
  ];
}

function rowOf(segment: StimulusSegment): unknown[] {
  const { timeNs, sequence, acknowledgement, flags, window, urgent, length, trafficClass, options } = segment;
  return [timeNs, sequence, acknowledgement, flags, window, urgent, length, trafficClass, options];
}

/** Is it (by its first bytes) a stimulus trace? */
export function isStimulusTrace(bytes: Uint8Array): boolean {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, 64));
  return text.includes(STIMULUS_FORMAT);
}

/** Reads a trace, whose bytes `next` gives in pieces. Throws `InputError`, whose message lacks the file's name. */
export function decodeStimuli(next: () => Uint8Array | null): Stimulus[] {
  const reader = new ItemReader(next);
  const item = () => {
    try {
      const bytes = reader.next();
      return bytes === null ? undefined : decodeItem(bytes);
    } catch (error) {
      throw error instanceof InputError ? new InputError(`${error.message}.`) : error;
    }
  };
  const header = item() as Record<string, unknown> | null | undefined;
  if (header?.format !== STIMULUS_FORMAT) throw new InputError("this is no stimulus trace.");
  if (header.version !== STIMULUS_VERSION) {
    throw new InputError(`it is of version ${header.version} of the format, and ${STIMULUS_VERSION} is read.`);
  }
  const stimuli: Stimulus[] = [];
  for (let value = item(); value !== undefined; value = item()) {
    const found = stimulusIn(value);
    if (found === undefined) throw new InputError(`connection ${stimuli.length + 1} is not what one in a trace is.`);
    stimuli.push(found);
  }
  if (stimuli.length !== header.connections) {
    throw new InputError(`it ends after ${stimuli.length} of ${header.connections} connections.`);
  }
  return stimuli;
}

function isWhole(value: unknown, most: number, least = 0): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
}

function stimulusIn(value: unknown): Stimulus | undefined {
  if (!Array.isArray(value) || value.length !== 8) return undefined;
  const [end, local, localPort, remote, remotePort, inputs, answers, calls] = value;
  if ((end !== "client" && end !== "server") || !isWhole(localPort, 65535, 1) || !isWhole(remotePort, 65535, 1)) {
    return undefined;
  }
  if (!isAddress(local) || !isAddress(remote) || local.includes(":") !== remote.includes(":")) return undefined;
  const found = { inputs: segmentsIn(inputs), answers: segmentsIn(answers), calls: callsIn(calls) };
  if (found.inputs === undefined || found.answers === undefined || found.calls === undefined) return undefined;
  return { end, local, localPort, remote, remotePort, ...found } as Stimulus;
}

function isAddress(value: unknown): value is string {
  if (typeof value !== "string") return false;
  try {
    parseAddress(value);
    return true;
  } catch {
    return false;
  }
}

function inOrder(rows: readonly { timeNs: number }[]): boolean {
  return rows.every(({ timeNs }, i) => isWhole(timeNs, LONGEST_NS) && (i === 0 || timeNs >= rows[i - 1].timeNs));
}

function segmentsIn(value: unknown): StimulusSegment[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const rows: StimulusSegment[] = [];
  for (const row of value) {
    if (!Array.isArray(row) || row.length !== 9) return undefined;
    const [timeNs, sequence, acknowledgement, flags, window, urgent, length, trafficClass, options] = row;
    const good = isWhole(sequence, 0xffffffff) && isWhole(acknowledgement, 0xffffffff) && isWhole(flags, 0x1ff) &&
      isWhole(window, 65535) && isWhole(urgent, 65535) && isWhole(length, 2 ** 24) && isWhole(trafficClass, 255) &&
      options instanceof Uint8Array && options.length <= 40;
    if (!good) return undefined;
    rows.push({ timeNs, sequence, acknowledgement, flags, window, urgent, length, trafficClass, options });
  }
  return inOrder(rows) ? rows : undefined;
}

function callsIn(value: unknown): StimulusCall[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const rows: StimulusCall[] = [];
  for (const row of value) {
    if (!Array.isArray(row) || !CALLS.includes(row[1]) || !isWhole(row[2], 2 ** 40)) return undefined;
    rows.push({ timeNs: row[0], kind: row[1], bytes: row[2] });
  }
  return inOrder(rows) ? rows : undefined;
}
