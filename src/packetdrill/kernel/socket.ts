/**
 * A socket as a process has it: a plain object before there is a connection, and around it afterwards. Behaviour is
 * Linux's (`af_inet.c`, `tcp.c`).
 *
 * @module
 */
import { connectionState, STATE } from "../../tcp/mod.ts";
import type { EmulatedHost } from "../host.ts";
import { SHUT } from "./abi.ts";
import { type Completions, newCompletions } from "./completions.ts";

/** An entry of the error queue (IP_RECVERR, SO_TIMESTAMPING, MSG_ZEROCOPY). */
export interface QueuedError {
  /** Null for none. */
  errno: string | null;
  /** `ORIGIN`. */
  origin: number;
  type: number;
  code: number;
  info: number;
  data: number;
  /** A time stamp, ns since the run began; null for none. */
  stampNs: number | null;
  /** Bytes of the packet that comes along. */
  bytes: number;
}

/** See the module's description. */
export class Sock {
  readonly kind = "socket";
  declare readonly ipv6: boolean;
  /** `SOCK.STREAM` or `SOCK.DGRAM`. */
  declare readonly type: number;
  /** The generic half's state (Linux `socket.state`). */
  phase: "unconnected" | "connecting" | "connected" | "disconnecting" = "unconnected";
  /** The connection's row, 0 for none. */
  conn = 0;
  /** The listener's row, 0 for none. */
  listener = 0;
  /** Error that the next call reports (`sk_err`). */
  error: string | null = null;
  /** Directions shut (`SHUT`). */
  shut = 0;
  /** The peer's FIN has come (`SOCK_DONE`). */
  ended = false;
  /** `connect` has returned and the SYN waits for the first data (TCP_FASTOPEN_CONNECT). */
  deferred = false;
  /** A send was cut short, and there is not room enough again. */
  full = false;
  /** Has there been a connection that is over? */
  wasConnected = false;
  /** It came from a listener. */
  accepted = false;
  /** Port and address bound to, 0 for none. */
  boundPort = 0;
  boundAddress = 0;
  /** SO_LINGER in seconds, null for off. */
  lingerSeconds: number | null = null;
  /** SO_RCVTIMEO, SO_SNDTIMEO, ns. */
  receiveTimeoutNs = Infinity;
  sendTimeoutNs = Infinity;
  /** SO_RCVLOWAT. */
  receiveLow = 1;
  /** Options that were set, by level << 16 | name, as they were given: accepted connections inherit them. */
  readonly options: Map<number, number> = new Map();
  /** TCP_FASTOPEN_KEY. */
  fastOpenKey: Uint8Array | null = null;
  /** TCP_CONGESTION. */
  congestion: string | null = null;
  readonly errorQueue: QueuedError[] = [];
  /** Sends whose fate the error queue has to tell. */
  readonly completions: Completions = newCompletions();

  /** A new socket. */
  constructor(ipv6: boolean, type: number) {
    this.ipv6 = ipv6;
    this.type = type;
  }

  /** The TCP state, one of `STATE`. */
  state(host: EmulatedHost): number {
    if (this.listener !== 0) return STATE.LISTEN;
    return this.conn === 0 ? STATE.CLOSED : connectionState(host.stack, this.conn);
  }

  /** The pending error, which is forgotten. */
  takeError(): string | null {
    const error = this.error;
    this.error = null;
    return error;
  }

  /** Both directions are over. */
  shutBoth(): void {
    this.shut = SHUT.BOTH;
  }
}
