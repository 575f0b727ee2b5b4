/**
 * What a scenario file may say about captures.
 *
 * @module
 */
import { z } from "zod";
import { InputError } from "../base/errors.ts";
import { parseBytes } from "../base/units.ts";
import * as f from "./fields.ts";

/** Files of at most so many bytes, of which the last so many are kept. */
export interface Ring {
  /** Bytes of a file at most. */
  bytes: number;
  /** Files at most. */
  files: number;
}

/** Where to capture, and what of it. */
export interface CapturePointOptions {
  /** A node, or members. */
  node: string;
  /** One of its interfaces, by neighbour or link. */
  interface?: string;
  /** A filter expression. */
  filter?: string;
  /** Bytes of a packet that are kept. */
  snaplen?: number;
  /** Bounds the files. */
  ring?: Ring;
  /** It was written as one text. */
  fromText?: boolean;
}

/** `10MiBx4`: four files of at most 10 MiB. Throws `InputError` for what is none. */
export function parseRing(text: string): Ring {
  const match = /^(.*[^x\s])\s*[x×]\s*(\d+)\s*$/.exec(text);
  if (match === null) throw new InputError(`A ring is bytes and files such as 10MiBx4, not ${JSON.stringify(text)}.`);
  const bytes = parseBytes(match[1]);
  const files = Number(match[2]);
  if (bytes < LEAST_RING_BYTES) {
    throw new InputError(`A file of a ring has at least ${LEAST_RING_BYTES} bytes, not ${bytes}.`);
  }
  if (files < 1 || files > MOST_RING_FILES) {
    throw new InputError(`A ring has 1 to ${MOST_RING_FILES} files, not ${files}.`);
  }
  return { bytes, files };
}

const LEAST_RING_BYTES = 4096;
const MOST_RING_FILES = 10_000;

/** Takes `client:r1` apart: a node, and an interface if one is named. Throws `InputError`. */
export function parseCapturePoint(text: string): CapturePointOptions {
  const match = /^\s*([^\s:]+)\s*(?::\s*(.*\S))?\s*$/.exec(text);
  if (match === null || (match[2] === undefined && text.includes(":"))) {
    throw new InputError(`A capture point is a node or node:interface such as server:r1, not ${JSON.stringify(text)}.`);
  }
  return { node: match[1], interface: match[2], fromText: true };
}

const POINT = "a capture point such as server:r1, or { node: server, interface: r1, filter: port 443 }";

const pointText: z.ZodType<CapturePointOptions, unknown> = f.field(
  POINT,
  { type: "string", examples: ["server", "server:r1", "clients[3]:r1"] },
  (value) => {
    if (typeof value !== "string" || value === "") throw new f.Expected("");
    return parseCapturePoint(value);
  },
);

const ring: z.ZodType<Ring, unknown> = f.field(
  "bytes and files such as 10MiBx4",
  { type: "string", examples: ["10MiBx4"] },
  (value) => {
    if (typeof value !== "string") throw new f.Expected("");
    return parseRing(value);
  },
);

const pointFields = f.fields({
  node: f.text("a node such as server or clients[3]").describe("Where. A population means all its members."),
  interface: f.text("a neighbour or a link").optional().describe(
    "One of its interfaces: by the neighbour that it leads to, or by its link's name; lo is loopback. Default all.",
  ),
  filter: f.text("an expression such as host 192.0.2.1 port 443").optional().describe(
    "Only these packets; as --filter. Default all.",
  ),
  snaplen: f.bytes(1, 262_144).optional().describe("Bytes of a packet that are kept. Default all."),
  ring: ring.optional().describe(
    "The last so many files of at most so many bytes: 10MiBx4. Default one file, no limit.",
  ),
}, POINT);

const point: z.ZodType<CapturePointOptions, unknown> = z.union([pointText, pointFields], {
  error: `expected ${POINT}`,
});

/** `capture:` of a scenario. */
export const captureSchema = f.list(point, "capture points");
