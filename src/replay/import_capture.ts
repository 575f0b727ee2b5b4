/**
 * From a capture file to the TCP connections in it.
 *
 * @module
 */
import { formatAddress, type IpAddress } from "../base/address.ts";
import { InputError } from "../base/errors.ts";
import { CAPTURE_LINK_TYPES, type CapturedSegment, capturedSegment, type NoSegment } from "../wire/capture_packet.ts";
import { CaptureReader, type CaptureRecord } from "../wire/capture_reader.ts";
import { TCP_FLAG } from "../wire/packet.ts";
import { ImportedConnection } from "./import_connection.ts";
import { opens } from "./import_side.ts";

/** Connections that are imported unless more are asked for. */
export const DEFAULT_CONNECTIONS = 1000;
/** Segments that are kept for stimuli. */
export const MOST_SEGMENTS = 200_000;

/** Options of {@linkcode importCapture}. */
export interface ImportOptions {
  /** Connections at most; what comes after is counted. Default 1,000. */
  limit?: number;
  /** Are segments kept, as stimuli need them? Default false. */
  keepSegments?: boolean;
  /** Is what comes before damage imported (and the damage told in `damage`) instead of refused? Default false. */
  partial?: boolean;
}

/** What a capture holds. */
export interface ImportedCapture {
  connections: ImportedConnection[];
  /** Packets of all kinds. */
  packets: number;
  /** TCP segments. */
  segments: number;
  /** TCP segments that belong to none of the connections: those beyond the limit, and what came without context. */
  strays: number;
  /** SYNs of connections beyond the limit. */
  beyondLimit: number;
  /** What else there was. */
  skipped: Record<NoSegment, number>;
  /** Packets with a time before the one before them. */
  timesBackwards: number;
  /** Packets without a time. */
  timeless: number;
  /** What is wrong with the file, if the part before was imported. */
  damage: string | undefined;
  /** Were segments no longer kept from some point on? */
  segmentsCut: boolean;
}

/** Reads a capture, whose bytes `next` gives in pieces. Throws `InputError`, whose message lacks the file's name. */
export function importCapture(next: () => Uint8Array | null, options: ImportOptions = {}): ImportedCapture {
  const reader = new CaptureReader(next);
  const importer = new Importer(options);
  const unread = new Set<number>();
  try {
    for (let record = reader.next(); record !== null; record = reader.next()) {
      if (importer.take(record) === "link-type") unread.add(record.linkType);
    }
  } catch (error) {
    if (!(error instanceof InputError) || options.partial !== true || importer.result.packets === 0) throw error;
    importer.result.damage = error.message;
  }
  const { result } = importer;
  if (result.packets > 0 && result.skipped["link-type"] === result.packets) {
    const types = [...unread].toSorted((a, b) => a - b).join(", ");
    const names = [...new Set(CAPTURE_LINK_TYPES.values())].join(", ");
    throw new InputError(`its packets are of link type ${types}, and those that are read are ${names}.`);
  }
  result.timesBackwards = reader.timesBackwards;
  result.timeless = reader.timeless;
  return importer.finish();
}

class Importer {
  readonly result: ImportedCapture = {
    connections: [],
    packets: 0,
    segments: 0,
    strays: 0,
    beyondLimit: 0,
    skipped: { fragment: 0, other: 0, cut: 0, malformed: 0, "link-type": 0 },
    timesBackwards: 0,
    timeless: 0,
    damage: undefined,
    segmentsCut: false,
  };
  readonly #limit: number;
  readonly #keep: boolean;
  readonly #current = new Map<string, ImportedConnection>();
  #kept = 0;

  constructor(options: ImportOptions) {
    this.#limit = options.limit ?? DEFAULT_CONNECTIONS;
    this.#keep = options.keepSegments ?? false;
  }

  take(record: CaptureRecord): NoSegment | undefined {
    const { result } = this;
    result.packets++;
    const segment = capturedSegment(record);
    if (typeof segment === "string") {
      result.skipped[segment]++;
      return segment;
    }
    result.segments++;
    const forward = endText(segment.source, segment.sourcePort);
    const back = endText(segment.destination, segment.destinationPort);
    const key = forward < back ? `${forward} ${back}` : `${back} ${forward}`;
    const current = this.#current.get(key);
    if (current !== undefined) {
      const fromClient = isFromClient(current, segment);
      if (!current.isReopenedBy(segment, fromClient)) {
        this.#see(current, segment, record.timeNs, fromClient);
        return undefined;
      }
    }
    this.#begin(key, segment, record.timeNs);
    return undefined;
  }

  #begin(key: string, segment: CapturedSegment, timeNs: number): void {
    const { result } = this;
    // A reset, or an acknowledgement of a FIN, of a connection that nothing else is known of.
    if ((segment.flags & TCP_FLAG.RST) !== 0) return void result.strays++;
    if (result.connections.length >= this.#limit) {
      if (opens(segment.flags)) {
        result.beyondLimit++;
        // What follows is not the old connection's.
        this.#current.delete(key);
      }
      return void result.strays++;
    }
    const fromClient = comesFromClient(segment);
    const connection = new ImportedConnection(segment, timeNs, fromClient, this.#keep);
    result.connections.push(connection);
    this.#current.set(key, connection);
    this.#see(connection, segment, timeNs, fromClient);
  }

  #see(connection: ImportedConnection, segment: CapturedSegment, timeNs: number, fromClient: boolean): void {
    if (connection.segments !== undefined && ++this.#kept > MOST_SEGMENTS) {
      this.result.segmentsCut = true;
      return;
    }
    connection.see(segment, timeNs, fromClient);
  }

  finish(): ImportedCapture {
    const { result } = this;
    const kept: ImportedConnection[] = [];
    for (const connection of result.connections) {
      connection.finish();
      if (connection.isWorthTelling) kept.push(connection);
      else result.strays += connection.sides[0].packets + connection.sides[1].packets;
    }
    result.connections = kept;
    return result;
  }
}

function endText(address: IpAddress, port: number): string {
  return `${address.words.join(".")}:${port}`;
}

function isFromClient({ client }: ImportedConnection, segment: CapturedSegment): boolean {
  return client.port === segment.sourcePort && formatAddress(client.address) === formatAddress(segment.source);
}

/** Whose packet the first one of a connection is: SYNs tell, else the lower port is taken for the server's. */
function comesFromClient({ flags, sourcePort, destinationPort }: CapturedSegment): boolean {
  if ((flags & TCP_FLAG.SYN) !== 0) return (flags & TCP_FLAG.ACK) === 0;
  return sourcePort >= destinationPort;
}
