/**
 * Sockets of hosts as they stand, as `ss` shows them. Cold: looks at every row.
 *
 * @module
 */
import { FLAG, LISTENER, SYN_ROW, TCB, TIME_WAIT_FLAG, TIME_WAIT_ROW } from "../tcp/state/tcb.ts";
import { STATE } from "../tcp/state/states.ts";
import { isListening } from "../tcp/mod.ts";
import { UDP_SOCKET } from "../transport/udp.ts";
import type { Partition } from "./partition.ts";

/** A socket, or what is left of one. */
export interface SocketDump {
  /** The host. */
  node: string;
  /** Its protocol. */
  protocol: "tcp" | "udp";
  /** In `ss`'s words: `LISTEN`, `ESTAB`, `TIME-WAIT`, … */
  state: string;
  /** Bytes received and not read; of a listener: connections that wait to be accepted. */
  receiveQueue: number;
  /** Bytes not acknowledged; of a listener: how many may wait. */
  sendQueue: number;
  /** Local address; `0.0.0.0` for any. */
  localAddress: string;
  /** Local port. */
  localPort: number;
  /** Remote address; `0.0.0.0` for none. */
  remoteAddress: string;
  /** Remote port; 0 for none. */
  remotePort: number;
  /** No application holds it. */
  orphan: boolean;
  /** Does it talk IPv6? */
  ipv6: boolean;
}

const NAMES: Record<number, string> = {
  [STATE.SYN_SENT]: "SYN-SENT",
  [STATE.SYN_RECEIVED]: "SYN-RECV",
  [STATE.ESTABLISHED]: "ESTAB",
  [STATE.FIN_WAIT_1]: "FIN-WAIT-1",
  [STATE.FIN_WAIT_2]: "FIN-WAIT-2",
  [STATE.CLOSE_WAIT]: "CLOSE-WAIT",
  [STATE.CLOSING]: "CLOSING",
  [STATE.LAST_ACK]: "LAST-ACK",
};

/** The sockets of some hosts: by host, then listeners, then by local port and address, remote address and port. */
export function sockets(s: Partition, nodes: readonly number[]): SocketDump[] {
  const wanted = new Set(nodes);
  const found: { node: number; local: number; remote: number; socket: SocketDump }[] = [];
  const add = (
    node: number,
    protocol: "tcp" | "udp",
    state: string,
    [local, remote, ports]: [number, number, number],
    more: { receiveQueue?: number; sendQueue?: number; orphan?: boolean } = {},
  ) => {
    const any = (id: number) => id === 0 ? "0.0.0.0" : s.addresses.toText(id);
    found.push({
      node,
      local: local === 0 ? 0 : s.addresses.word(local) >>> 0,
      remote: remote === 0 ? 0 : s.addresses.word(remote) >>> 0,
      socket: {
        node: s.nodes.nameOf(node),
        protocol,
        state,
        receiveQueue: more.receiveQueue ?? 0,
        sendQueue: more.sendQueue ?? 0,
        localAddress: any(local),
        localPort: ports >>> 16,
        remoteAddress: any(remote),
        remotePort: ports & 0xffff,
        orphan: more.orphan ?? false,
        ipv6: (local || remote) !== 0 && s.addresses.isIpv6(local || remote),
      },
    });
  };
  addListeners(s, wanted, add);
  addConnections(s, wanted, add);
  for (let row = 1; row < s.tcp.synRows.end; row++) {
    const at = row * SYN_ROW.STRIDE;
    const words = s.tcp.synRows.words;
    if (words[at + SYN_ROW.PORTS] === 0 || !wanted.has(words[at + SYN_ROW.HOST])) continue;
    add(words[at + SYN_ROW.HOST], "tcp", "SYN-RECV", tuple(words, at));
  }
  for (let row = 1; row < s.tcp.timeWaits.end; row++) {
    const at = row * TIME_WAIT_ROW.STRIDE;
    const words = s.tcp.timeWaits.words;
    if (words[at + TIME_WAIT_ROW.PORTS] === 0 || !wanted.has(words[at + TIME_WAIT_ROW.HOST])) continue;
    const waits = (words[at + TIME_WAIT_ROW.FLAGS] & TIME_WAIT_FLAG.FIN_WAIT_2) !== 0;
    add(words[at + TIME_WAIT_ROW.HOST], "tcp", waits ? "FIN-WAIT-2" : "TIME-WAIT", tuple(words, at), { orphan: waits });
  }
  const udp = s.udpSockets;
  for (let socket = 1; udp !== undefined && socket < udp.rows.end; socket++) {
    const at = socket * UDP_SOCKET.STRIDE;
    const words = udp.rows.words;
    if (words[at + UDP_SOCKET.PORTS] === 0 || !wanted.has(words[at + UDP_SOCKET.HOST])) continue;
    const state = words[at + UDP_SOCKET.REMOTE] === 0 ? "UNCONN" : "ESTAB";
    add(words[at + UDP_SOCKET.HOST], "udp", state, tuple(words, at));
  }
  const place = new Map(nodes.map((node, i) => [node, i]));
  const order = ({ state }: SocketDump) => state === "LISTEN" ? 0 : 1;
  found.sort((a, b) =>
    place.get(a.node)! - place.get(b.node)! || order(a.socket) - order(b.socket) ||
    a.socket.localPort - b.socket.localPort || a.local - b.local || a.remote - b.remote ||
    a.socket.remotePort - b.socket.remotePort
  );
  return found.map(({ socket }) => socket);
}

type Add = (
  node: number,
  protocol: "tcp" | "udp",
  state: string,
  tuple: [number, number, number],
  more?: { receiveQueue?: number; sendQueue?: number; orphan?: boolean },
) => void;

/** Local and remote address, and ports: the first words of every kind of row. */
function tuple(words: Int32Array, at: number): [number, number, number] {
  return [words[at + TCB.LOCAL], words[at + TCB.REMOTE], words[at + TCB.PORTS]];
}

function addListeners(s: Partition, wanted: Set<number>, add: Add): void {
  const words = s.tcp.listeners.words;
  for (let listener = 1; listener < s.tcp.listeners.end; listener++) {
    const l = listener * LISTENER.STRIDE;
    const host = words[l + LISTENER.HOST];
    if (words[l + LISTENER.GENERATION] === 0 || !wanted.has(host) || !isListening(s.tcp, listener)) continue;
    add(host, "tcp", "LISTEN", [words[l + LISTENER.LOCAL], 0, words[l + LISTENER.PORT] << 16], {
      receiveQueue: words[l + LISTENER.ACCEPT_COUNT],
      sendQueue: words[l + LISTENER.BACKLOG],
    });
  }
}

function addConnections(s: Partition, wanted: Set<number>, add: Add): void {
  const words = s.tcp.tcbs.words;
  for (let conn = 1; conn < s.tcp.tcbs.end; conn++) {
    const c = conn * TCB.STRIDE;
    const state = words[c + TCB.STATE];
    if (words[c + TCB.PORTS] === 0 || !wanted.has(words[c + TCB.HOST])) continue;
    const name = NAMES[state & FLAG.STATE_MASK];
    if (name === undefined) continue;
    const opening = (state & FLAG.STATE_MASK) === STATE.SYN_SENT;
    const fin = (state & FLAG.FIN_RECEIVED) !== 0 ? 1 : 0;
    add(words[c + TCB.HOST], "tcp", name, tuple(words, c), {
      receiveQueue: opening ? 0 : Math.max(0, (words[c + TCB.RCV_NXT] - words[c + TCB.RCV_READ] - fin) | 0),
      sendQueue: opening ? 1 : Math.max(0, (words[c + TCB.SND_END] - words[c + TCB.SND_UNA]) | 0),
      orphan: (state & FLAG.ORPHAN) !== 0,
    });
  }
}

/** As `ss -tan` (or `-uan`) prints them; without the heading of a host. */
export function socketLines(dump: readonly SocketDump[]): string[] {
  const end = (address: string, port: number) => {
    return `${address.includes(":") ? `[${address}]` : address}:${port === 0 ? "*" : port}`;
  };
  const rows = dump.map((one) => [
    one.state,
    `${one.receiveQueue}`,
    `${one.sendQueue}`,
    end(one.localAddress, one.localPort),
    end(one.remoteAddress, one.remotePort),
  ]);
  const header = ["State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port"];
  const widths = header.map((title, i) => rows.reduce((most, row) => Math.max(most, row[i].length), title.length));
  const line = (row: string[]) =>
    `${row[0].padEnd(widths[0])} ${row[1].padEnd(widths[1])} ${row[2].padEnd(widths[2])} ${
      row[3].padStart(widths[3])
    } ${row[4].padStart(widths[4])}`.trimEnd();
  return [line(header), ...rows.map(line)];
}

/** As `ss -s` sums them up. */
export function socketSummaryLines(dump: readonly SocketDump[]): string[] {
  const tcp = dump.filter(({ protocol }) => protocol === "tcp");
  const udp = dump.filter(({ protocol }) => protocol === "udp");
  const count = (state: string) => tcp.filter((one) => one.state === state).length;
  const waiting = count("TIME-WAIT");
  const half = count("SYN-RECV");
  const orphans = tcp.filter(({ orphan }) => orphan).length;
  // As the kernel's: neither what waits nor what is half open is a socket.
  const open = tcp.filter(({ state }) => state !== "TIME-WAIT" && state !== "SYN-RECV");
  const row = (name: string, list: readonly SocketDump[]) => {
    const v6 = list.filter(({ ipv6 }) => ipv6).length;
    return [name.padEnd(9), `${list.length}`.padEnd(9), `${list.length - v6}`.padEnd(9), `${v6}`].join(" ");
  };
  return [
    `Total: ${open.length + udp.length}`,
    `TCP:   ${tcp.length} (estab ${
      count("ESTAB")
    }, closed ${waiting}, orphaned ${orphans}, synrecv ${half}, timewait ${waiting})`,
    "",
    "Transport Total     IP        IPv6",
    row("UDP", udp),
    row("TCP", open),
    row("INET", [...udp, ...open]),
  ];
}
