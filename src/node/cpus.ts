/**
 * Processors of hosts as rows: what serving a packet, an accept or a request costs, who waits, and how busy the cores
 * were. It does no work and schedules nothing: `network/cpu.ts` drives it.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import { lengthened } from "../base/growth.ts";

import type { PlainValue, StateVisitor } from "../base/state.ts";

/** Work of applications that takes time of a processor, where a host has one with a cost for it. */
export const WORK = { ACCEPT: 0, REQUEST: 1 } as const;
/** One of `WORK`. */
export type WorkKind = typeof WORK[keyof typeof WORK];

/** What the work of a host costs, ns, and how much of it may wait. */
export interface CpuSettings {
  /** Cores, which serve one common queue. */
  readonly cores: number;
  /** Of each packet, received or sent. */
  readonly perPacketNs: number;
  /** Of each byte of payload, received or sent; may be a fraction. */
  readonly perByteNs: number;
  /** Of taking a connection from an accept queue. */
  readonly perAcceptNs: number;
  /** Of opening a connection. */
  readonly perConnectNs: number;
  /** Of an application's work on one request. */
  readonly perRequestNs: number;
  /** Packets that may wait for a core; more are dropped. */
  readonly queuePackets: number;
}

/** Linux's `net.core.netdev_max_backlog`. */
export const CPU_QUEUE_PACKETS = 1000;

/** Word offsets (doubles) of a CPU. */
export const CPU = {
  /** Its node, and the place of its settings in `Cpus.settings`. */
  NODE: 0,
  SETTINGS: 1,
  /** Its first core in `Cpus.cores`. */
  CORE: 2,
  /** Packets that wait for a core. */
  WAITING: 3,
  /** First and last reference in the common queue, 0 for none. The tail of a queue stands right behind its head. */
  HEAD: 4,
  TAIL: 5,
  /** First and last reference of what a core has begun and goes on with first. */
  NEXT_HEAD: 6,
  NEXT_TAIL: 7,
  /** When the last packet was, or will be, handed to the host, and the last one given to the link, ns. */
  HANDED_NS: 8,
  SENT_NS: 9,
  /** Work of all cores so far, what is begun included, ns. */
  BUSY_NS: 10,
  /** Sum of the waiting times of packets, ns, up to `SINCE_NS`. */
  WAITED_NS: 11,
  SINCE_NS: 12,
  /** Packets that were served. */
  SERVED: 13,
  /** Most packets waiting at once; packets dropped; when the first was, -1 for never. */
  PEAK: 14,
  DROPPED: 15,
  FIRST_DROP_NS: 16,
  /** Restarts of the host: what was begun before the last is void. */
  BOOTS: 17,
  /** Doubles in a row. */
  STRIDE: 18,
  /** The bits of a row's offset. */
  MASK: rowMask(18),
} as const;

/** Word offsets (doubles) of a core. */
export const CORE = {
  /** Its CPU. */
  CPU: 0,
  /** Until when it has work, ns. */
  UNTIL_NS: 1,
  /** What it serves: a reference, 0 for nothing more than `UNTIL_NS` says, -1 while it is idle. */
  JOB: 2,
  /** Doubles in a row. */
  STRIDE: 3,
  /** The bits of a row's offset. */
  MASK: rowMask(3),
} as const;

const { WAITING, WAITED_NS, SINCE_NS, PEAK, DROPPED, FIRST_DROP_NS, BUSY_NS, SERVED } = CPU;

/** How a CPU was used. Times in ns. */
export interface CpuUse {
  settings: CpuSettings;
  /** Share of the cores' time that was work, 0 to 1. */
  busyShare: number;
  /** Packets that wait now, and the most there were. */
  waiting: number;
  peakWaiting: number;
  /** Packets served, and the mean time that they waited for a core. */
  served: number;
  meanWaitNs: number;
  dropped: number;
  /** First drop, -1 for none. */
  firstDropNs: number;
}

/** The CPUs of a partition. Row 0 is none. */
export class Cpus {
  /** Rows of CPUs (`CPU`). */
  words: Float64Array = new Float64Array(CPU.STRIDE * 4);
  /** Rows of cores (`CORE`). */
  cores: Float64Array = new Float64Array(CORE.STRIDE * 8);
  /** Settings that CPUs share. */
  readonly settings: CpuSettings[] = [];
  /** Have settings changed in mid-run? */
  changed = false;
  /** CPUs and cores in use; row 0 of both is none. */
  count = 1;
  coreCount = 1;

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.changed = v.number(this.changed ? 1 : 0) === 1;
    const settings = v.plain(this.settings as unknown as PlainValue[]);
    if (v.restoring) this.settings.splice(0, this.settings.length, ...settings as unknown as CpuSettings[]);
    this.words = v.column(this.words, this.count * CPU.STRIDE);
    this.cores = v.column(this.cores, this.coreCount * CORE.STRIDE);
  }

  /** A CPU for `node`: its row. `settings` is an index of `Cpus.settings`. */
  add(node: number, settings: number): number {
    const { cores } = this.settings[settings];
    const cpu = this.count++;
    while (this.count * CPU.STRIDE > this.words.length) this.words = lengthened(this.words, 2 * this.words.length);
    while ((this.coreCount + cores) * CORE.STRIDE > this.cores.length) {
      this.cores = lengthened(this.cores, 2 * this.cores.length);
    }
    const at = cpu * CPU.STRIDE;
    this.words[at + CPU.NODE] = node;
    this.words[at + CPU.SETTINGS] = settings;
    this.words[at + CPU.CORE] = this.coreCount;
    this.words[at + FIRST_DROP_NS] = -1;
    for (let k = 0; k < cores; k++) {
      const core = this.coreCount++ * CORE.STRIDE;
      this.cores[core + CORE.CPU] = cpu;
      this.cores[core + CORE.JOB] = -1;
    }
    return cpu;
  }

  /** What the CPU's work costs. */
  settingsOf(cpu: number): CpuSettings {
    return this.settings[this.words[cpu * CPU.STRIDE + CPU.SETTINGS]];
  }

  /** The place of further settings in `settings`: that of equal ones, if there are some. */
  addSettings(settings: CpuSettings): number {
    const names = Object.keys(settings) as (keyof CpuSettings)[];
    const equal = this.settings.findIndex((other) => names.every((name) => other[name] === settings[name]));
    return equal >= 0 ? equal : this.settings.push(settings) - 1;
  }

  /** Work of the CPU costs something else from now on; the number of its cores stays. */
  change(cpu: number, settings: number): void {
    this.words[cpu * CPU.STRIDE + CPU.SETTINGS] = settings;
    this.changed = true;
  }

  /** The first idle core, 0 if all are busy. */
  idleCore(cpu: number): number {
    const first = this.words[cpu * CPU.STRIDE + CPU.CORE];
    const last = first + this.settingsOf(cpu).cores;
    for (let core = first; core < last; core++) if (this.cores[core * CORE.STRIDE + CORE.JOB] < 0) return core;
    return 0;
  }

  /** `change` packets more wait from now on (Little's law gives the sum of their waiting times). */
  changeWaiting(cpu: number, change: number, nowNs: number): void {
    const words = this.words;
    const at = cpu * CPU.STRIDE;
    words[at + WAITED_NS] += words[at + WAITING] * (nowNs - words[at + SINCE_NS]);
    words[at + SINCE_NS] = nowNs;
    words[at + WAITING] += change;
    if (words[at + WAITING] > words[at + PEAK]) words[at + PEAK] = words[at + WAITING];
  }

  /** A packet found the queue full. */
  noteDrop(cpu: number, nowNs: number): void {
    const at = cpu * CPU.STRIDE;
    if (this.words[at + DROPPED]++ === 0) this.words[at + FIRST_DROP_NS] = nowNs;
  }

  /** How a CPU has been used since time 0. */
  use(cpu: number, nowNs: number): CpuUse {
    const words = this.words;
    const at = cpu * CPU.STRIDE;
    const settings = this.settingsOf(cpu);
    // Work is counted when it begins: what lies ahead is not done yet.
    let ahead = 0;
    for (let k = 0; k < settings.cores; k++) {
      ahead += Math.max(0, this.cores[(words[at + CPU.CORE] + k) * CORE.STRIDE + CORE.UNTIL_NS] - nowNs);
    }
    const waited = words[at + WAITED_NS] + words[at + WAITING] * (nowNs - words[at + SINCE_NS]);
    return {
      settings,
      busyShare: nowNs === 0 ? 0 : Math.max(0, words[at + BUSY_NS] - ahead) / (settings.cores * nowNs),
      waiting: words[at + WAITING],
      peakWaiting: words[at + PEAK],
      served: words[at + SERVED],
      meanWaitNs: words[at + SERVED] === 0 ? 0 : waited / words[at + SERVED],
      dropped: words[at + DROPPED],
      firstDropNs: words[at + FIRST_DROP_NS],
    };
  }
}
