/** A peer whose every segment is written by hand. */
import { accept, connect, listen } from "../../src/tcp/mod.ts";
import type { ConnectOptions } from "../../src/tcp/mod.ts";
import { A, B, type Segment, World, type WorldOptions } from "./harness.ts";

/** SYN options of the raw peer. */
export interface RawOptions {
  mss?: number;
  shift?: number;
  sackPermitted?: boolean;
  /** Its timestamp clock's first value; none: no timestamps. */
  tsVal?: number;
  window?: number;
  /** Its initial sequence number. */
  isn?: number;
}

/** One connection between a host of a world and the raw peer. */
export class RawPeer {
  readonly world: World;
  readonly host: number;
  readonly port: number;
  hostPort = 0;
  /** The peer's SND.NXT and RCV.NXT. */
  seq: number;
  ack = 0;
  tsVal: number | undefined;
  window: number;
  conn = 0;
  listener = 0;
  readonly options: RawOptions;
  #read = 0;

  constructor(world: World, host: number, port: number, options: RawOptions = {}) {
    this.world = world;
    this.host = host;
    this.port = port;
    this.options = options;
    this.seq = options.isn ?? 1000;
    this.tsVal = options.tsVal;
    this.window = options.window ?? 65535;
  }

  /** Sends a segment; fields override what the peer would fill in. It does not move `seq`. */
  send(
    flags: string,
    fields:
      & { seq?: number; ack?: number; length?: number; window?: number; tsVal?: number; tsEcr?: number }
      & { urgent?: number; trafficClass?: number; bytes?: Uint8Array }
      & { sack?: [number, number][] }
      & RawOptions = {},
  ): void {
    this.world.inject(this.host, {
      flags,
      seq: this.seq,
      ack: flags.includes(".") ? this.ack : 0,
      window: this.window,
      srcPort: this.port,
      dstPort: this.hostPort,
      ...(this.tsVal === undefined ? {} : { tsVal: this.tsVal, tsEcr: this.lastTsVal }),
      ...fields,
    });
  }

  lastTsVal = 0;

  /** The segments that arrived since the last call. */
  take(): Segment[] {
    const found = this.world.toRaw.slice(this.#read);
    this.#read = this.world.toRaw.length;
    for (const segment of found) if (segment.tsVal !== undefined) this.lastTsVal = segment.tsVal;
    return found;
  }

  /** As `take`, as text: flags, relative numbers, length. */
  texts(): string[] {
    return this.take().map((s) =>
      `${s.flags} ${(s.seq - this.base) >>> 0}:${(s.seq - this.base + s.length) >>> 0}` +
      (s.flags.includes(".") ? ` ack ${(s.ack - this.isn) >>> 0}` : "")
    );
  }

  /** The host's ISN and the peer's own, which `texts` counts from. */
  base = 0;
  get isn(): number {
    return this.options.isn ?? 1000;
  }

  get synOptions() {
    const { mss, shift, sackPermitted } = this.options;
    return { mss: mss ?? 1460, ...(shift === undefined ? {} : { shift }), sackPermitted };
  }

  /** Sends data and moves `seq`. */
  data(length: number, flags = "P."): void {
    this.send(flags, { length });
    this.seq += length + (flags.includes("F") ? 1 : 0);
  }

  get state(): string {
    return this.world.state(this.conn);
  }
}

/** A connection that the raw peer opened to a listener on B, accepted. */
export function passive(
  options: RawOptions = {},
  worldOptions: WorldOptions = {},
  acceptIt = true,
  rttNs = 0,
): RawPeer {
  const world = new World(worldOptions);
  const listener = listen(world.stack, B, 0, 80, { backlog: 10, app: 0 });
  const peer = new RawPeer(world, B, 5000, options);
  peer.listener = listener;
  peer.hostPort = 80;
  peer.send("S", peer.synOptions);
  peer.seq++;
  const synAck = peer.take()[0];
  peer.base = synAck.seq;
  peer.ack = synAck.seq + 1;
  world.run(rttNs);
  peer.send(".");
  if (acceptIt) {
    peer.conn = accept(world.stack, listener);
    world.drain();
  }
  return peer;
}

/** A connection that A opens to the raw peer; the SYN has been taken and is not answered yet. */
export function opening(options: RawOptions = {}, worldOptions: WorldOptions = {}, how?: ConnectOptions): RawPeer {
  const world = new World(worldOptions);
  const peer = new RawPeer(world, A, 80, options);
  peer.conn = connect(world.stack, A, world.addressA, 0, world.addressRaw, 80, 0, how);
  world.drain();
  const syn = peer.take()[0];
  peer.hostPort = syn.srcPort;
  peer.base = syn.seq;
  peer.ack = syn.seq + 1;
  return peer;
}

/** A connection that A opened to the raw peer, established. */
export function active(options: RawOptions = {}, worldOptions: WorldOptions = {}, how?: ConnectOptions): RawPeer {
  const peer = opening(options, worldOptions, how);
  peer.send("S.", peer.synOptions);
  peer.seq++;
  peer.take();
  return peer;
}
