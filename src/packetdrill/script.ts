/**
 * A packetdrill script as a tree: what the parser makes and the runner plays. Times are integer nanoseconds; sequence
 * numbers are as the script writes them, relative to the two initial ones.
 *
 * @module
 */

/** A place in a script, both counted from 1. */
export interface Position {
  line: number;
  column: number;
}

/** A parsed script. */
export interface Script {
  /** The file's name, for messages. */
  path: string;
  /** Its lines, for messages. */
  lines: readonly string[];
  /** `--name=value` lines at the top, in order; a line without `=` has the value `""`. */
  options: readonly { name: string; value: string; at: Position }[];
  /** The commands in backticks before the first event, if there are any. */
  init: Command | null;
  /** Events in order. A cleanup command is the last event, or stands alone without a time. */
  events: readonly ScriptEvent[];
  /** The commands in backticks after the last event that have no time. */
  cleanup: Command | null;
}

/** Shell text between backticks. */
export interface Command {
  text: string;
  at: Position;
}

/** When an event happens (inbound packets, calls, commands, code) or is expected (outbound packets). ns. */
export type EventTime =
  | { kind: "absolute"; ns: number }
  | { kind: "relative"; ns: number }
  | { kind: "any" }
  | { kind: "absolute-range"; fromNs: number; toNs: number }
  | { kind: "relative-range"; fromNs: number; toNs: number };

/** One line of a script. */
export interface ScriptEvent {
  time: EventTime;
  /** A call that blocks: when it returns (`+0...0.200`), an absolute or relative time. */
  ends: EventTime | null;
  at: Position;
  action: PacketAction | CallAction | CommandAction | CodeAction;
}

/** A packet: `<` is put into the host, `>` is expected from it. */
export interface PacketAction {
  kind: "packet";
  inbound: boolean;
  /** What stands in `[...]` or `(...)` before the flags: null where it is not said. */
  ip: {
    /** `ect01`, only of what is expected: either of the two. */
    ecn: "noecn" | "ect0" | "ect1" | "ect01" | "ce" | null;
    tos: number | null;
    ttl: number | null;
    flowLabel: number | null;
  };
  body: TcpBody | UdpBody | IcmpBody;
}

/** A TCP segment. */
export interface TcpBody {
  kind: "tcp";
  /** Explicit ports `50001>8080` (source first), or null: those of the connection that is being tested. */
  ports: { source: number; destination: number } | null;
  /** `TCP_FLAG` bits. */
  flags: number;
  /** A digit among the flags: the ACE count of accurate ECN, which stands in the bits AE, CWR and ECE; null without. */
  ace: number | null;
  seq: number;
  end: number;
  length: number;
  /** Null where it is not written (a segment without ACK, or not checked). */
  ack: number | null;
  window: number | null;
  urgent: number | null;
  /** Options in order; `"any"` for `<...>`; empty for none. */
  options: readonly OptionSpec[] | "any";
}

/** One TCP option of a script. Where `value` and so on is null, any is right (outbound). */
export type OptionSpec =
  | { kind: "nop" }
  | { kind: "eol" }
  | { kind: "mss"; value: number }
  | { kind: "wscale"; shift: number }
  | { kind: "sackOK" }
  | { kind: "sack"; blocks: readonly { left: number; right: number }[] }
  | { kind: "TS"; value: number | null; echo: number | null }
  /** `FO` (kind 34) or `FOEXP` (kind 254, magic 0xf989): the cookie's bytes, empty for a request. */
  | { kind: "FO" | "FOEXP"; cookie: Uint8Array }
  /** Accurate ECN option, MD5 and what else scripts may write: the bytes after kind and length. */
  | { kind: "other"; number: number; data: Uint8Array | null; text: string };

/** A UDP datagram. */
export interface UdpBody {
  kind: "udp";
  ports: { source: number; destination: number } | null;
  length: number;
}

/** An ICMP error: `icmp unreachable frag_needed mtu 840 [0:1000(1000)]`. */
export interface IcmpBody {
  kind: "icmp";
  /** Its type and code, of ICMP or ICMPv6 by the script's IP version. */
  type: number;
  code: number;
  mtu: number | null;
  /** Identifier of an echo message (`id 7`); not there where it is not said. */
  echoId?: number;
  /** The quoted segment's numbers; of `[raw(100)]`, which quotes nothing, the length of the whole message. */
  quoted: { protocol: "tcp" | "udp" | "raw"; seq: number | null; end: number; length: number } | null;
}

/** A system call and what it must return. */
export interface CallAction {
  kind: "call";
  name: string;
  args: readonly Value[];
  /** What follows `=`; null where the script does not say (`= ?` or nothing). */
  result: Value | null;
  /** `EINPROGRESS` after `-1`; null without. */
  errno: string | null;
  /** The words in brackets after it: a comment. */
  note: string | null;
}

/** An argument or a result of a call. `name=value` that stands outside of braces is a struct of that one field. */
export type Value =
  | { kind: "number"; value: number; text: string }
  | { kind: "range"; from: number; to: number }
  | { kind: "any" }
  | { kind: "symbol"; name: string }
  | { kind: "string"; text: string }
  /** `A|B`. */
  | { kind: "or"; parts: readonly Value[] }
  /** `-x`, `~x`. */
  | { kind: "negated"; operator: "-" | "~"; value: Value }
  | { kind: "list"; items: readonly Value[] }
  /** `{name=value, name(argument)=value, value}`. */
  | { kind: "struct"; fields: readonly { name: string | null; argument: Value | null; value: Value }[] }
  /** `htons(8080)`, `inet_addr("192.0.2.1")`, `msg_name(...)`. */
  | { kind: "function"; name: string; args: readonly Value[] };

/** Commands in backticks at a time. */
export interface CommandAction {
  kind: "command";
  command: Command;
}

/** `%{ … }%`: statements over `tcp_info`. */
export interface CodeAction {
  kind: "code";
  text: string;
  at: Position;
}
