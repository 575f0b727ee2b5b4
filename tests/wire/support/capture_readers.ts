/** Minimal readers of capture files, written from the formats' descriptions, to test the writers against. */

/** A packet read back. */
export interface CapturedPacket {
  interfaceId: number;
  /** As in the file, since its epoch. */
  timeNs: bigint;
  originalBytes: number;
  bytes: Uint8Array;
  /** pcapng options by code. */
  options: Map<number, Uint8Array>;
}

/** A classic capture file. */
export function readPcap(file: Uint8Array): {
  magic: number;
  version: string;
  snapLength: number;
  linkType: number;
  packets: CapturedPacket[];
} {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const packets: CapturedPacket[] = [];
  let at = 24;
  while (at < file.length) {
    const kept = view.getUint32(at + 8, true);
    packets.push({
      interfaceId: 0,
      timeNs: BigInt(view.getUint32(at, true)) * 1_000_000_000n + BigInt(view.getUint32(at + 4, true)),
      originalBytes: view.getUint32(at + 12, true),
      bytes: file.slice(at + 16, at + 16 + kept),
      options: new Map(),
    });
    at += 16 + kept;
  }
  return {
    magic: view.getUint32(0, true),
    version: `${view.getUint16(4, true)}.${view.getUint16(6, true)}`,
    snapLength: view.getUint32(16, true),
    linkType: view.getUint32(20, true),
    packets,
  };
}

/** A pcapng block: its type, its fixed part and options. */
export interface CapturedBlock {
  type: number;
  body: Uint8Array;
}

/** The blocks of a pcapng file; throws where the two lengths of a block differ or do not fit. */
export function readBlocks(file: Uint8Array): CapturedBlock[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const blocks: CapturedBlock[] = [];
  let at = 0;
  while (at < file.length) {
    const length = view.getUint32(at + 4, true);
    if (length % 4 !== 0 || view.getUint32(at + length - 4, true) !== length) throw new Error(`bad block at ${at}`);
    blocks.push({ type: view.getUint32(at, true), body: file.slice(at + 8, at + length - 4) });
    at += length;
  }
  return blocks;
}

/** The options of a block, which begin at `at` of its body. */
export function readOptions(body: Uint8Array, at: number): Map<number, Uint8Array> {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const options = new Map<number, Uint8Array>();
  if (at === body.length) return options;
  for (;;) {
    const code = view.getUint16(at, true);
    const length = view.getUint16(at + 2, true);
    if (code === 0) {
      if (length !== 0 || at + 4 !== body.length) throw new Error("the end of options is not at the block's end");
      return options;
    }
    options.set(code, body.slice(at + 4, at + 4 + length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
}

/** An enhanced packet block. */
export function readEnhancedPacket({ body }: CapturedBlock): CapturedPacket {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const kept = view.getUint32(12, true);
  return {
    interfaceId: view.getUint32(0, true),
    timeNs: BigInt(view.getUint32(4, true)) << 32n | BigInt(view.getUint32(8, true)),
    originalBytes: view.getUint32(16, true),
    bytes: body.slice(20, 20 + kept),
    options: readOptions(body, 20 + Math.ceil(kept / 4) * 4),
  };
}

/** Chunks one behind the other. */
export function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
