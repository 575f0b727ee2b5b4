/**
 * What `--pcap DIR` writes: a capture file for every node, with the packets that left it and that reached it.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { formatCount } from "../base/units.ts";
import { pcapHeader, pcapRecord } from "../wire/pcap.ts";
import { encodePacket } from "../wire/row_codec.ts";
import type { PacketFilter, SeenPacket } from "./filter.ts";
import { GrowingFiles } from "./output.ts";

/** So many files at most: a population of a million hosts would make a million. */
export const MOST_FILES = 4096;

/** The capture files of a run. */
export class Captures {
  readonly #directory: string;
  readonly #filter: PacketFilter | undefined;
  readonly #files: GrowingFiles;
  readonly #paths = new Map<string, string>();
  readonly #buffer = new Uint8Array(65536);

  /** Will write into `directory`, which is made if it is not there. */
  constructor(directory: string, filter?: PacketFilter, files: GrowingFiles = new GrowingFiles()) {
    this.#directory = directory;
    this.#filter = filter;
    this.#files = files;
    makeDirectory(directory);
  }

  /** Files so far. */
  get count(): number {
    return this.#paths.size;
  }

  /** The packet leaves `seen.from`. */
  sent(seen: SeenPacket): void {
    this.#record(seen, seen.from);
  }

  /** The packet reaches `seen.to`. */
  received(seen: SeenPacket): void {
    this.#record(seen, seen.to);
  }

  /** Completes the files; they have their names from now on. */
  commit(): void {
    this.#files.commit();
  }

  /** Leaves nothing behind. */
  discard(): void {
    this.#files.discard();
  }

  #record(seen: SeenPacket, node: string): void {
    if (this.#filter !== undefined && !this.#filter(seen)) return;
    let path = this.#paths.get(node);
    if (path === undefined) {
      if (this.#paths.size === MOST_FILES) {
        throw new InputError(
          `--pcap: more than ${
            formatCount(MOST_FILES)
          } nodes see packets; narrow it with --filter 'node NAME', for example.`,
        );
      }
      path = `${this.#directory}/${captureName(node)}`;
      this.#paths.set(node, path);
      this.#files.append(path, pcapHeader());
    }
    const bytes = encodePacket(seen.packets, seen.addresses, seen.p, this.#buffer);
    this.#files.append(path, pcapRecord(seen.timeNs, this.#buffer.subarray(0, bytes)));
  }
}

/** The file of a node: its name with what file systems dislike replaced. `clients[3]` becomes `clients.3.pcap`. */
export function captureName(node: string): string {
  return `${node.replace(/\[(\d+)\]$/, ".$1").replace(/[^\p{L}\p{N}._-]/gu, "_")}.pcap`;
}

function makeDirectory(directory: string): void {
  try {
    Deno.mkdirSync(directory, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new InputError(`--pcap: ${directory} is a file, not a directory.`);
    }
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
      throw new InputError(`--pcap: you may not write to ${directory}.`);
    }
    throw new InputError(`--pcap: ${directory} cannot be made: ${error instanceof Error ? error.message : error}.`);
  }
}
