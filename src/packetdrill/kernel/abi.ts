/**
 * Numbers of Linux's system call interface that the emulated calls act upon.
 *
 * @module
 */

/** Flags of send and receive calls. */
export const MSG = {
  OOB: 1,
  PEEK: 2,
  CTRUNC: 8,
  TRUNC: 0x20,
  DONTWAIT: 0x40,
  EOR: 0x80,
  WAITALL: 0x100,
  ERRQUEUE: 0x2000,
  NOSIGNAL: 0x4000,
  MORE: 0x8000,
  ZEROCOPY: 0x4000000,
  FASTOPEN: 0x20000000,
} as const;

/** Events of poll and epoll. */
export const POLL = {
  IN: 1,
  PRI: 2,
  OUT: 4,
  ERR: 8,
  HUP: 0x10,
  NVAL: 0x20,
  RDNORM: 0x40,
  WRNORM: 0x100,
  RDHUP: 0x2000,
} as const;

/** Flags of epoll registrations. */
export const EPOLL = { ET: 0x80000000, ONESHOT: 0x40000000, CTL_ADD: 1, CTL_DEL: 2, CTL_MOD: 3 } as const;

/** Directions of `shutdown`, as bits of what is shut. */
export const SHUT = { READ: 1, WRITE: 2, BOTH: 3 } as const;

/** File status flags and fcntl commands. */
export const FILE = { O_RDWR: 2, O_NONBLOCK: 0x800, F_GETFL: 3, F_SETFL: 4 } as const;

/** ioctl requests. */
export const IOCTL = { SIOCINQ: 0x541b, SIOCOUTQ: 0x5411, SIOCOUTQNSD: 0x894b, SIOCATMARK: 0x8905 } as const;

/** Address families and socket types. */
export const AF = { UNSPEC: 0, INET: 2, INET6: 10 } as const;
export const SOCK = { STREAM: 1, DGRAM: 2, TYPE_MASK: 0xf, NONBLOCK: 0x800 } as const;

/** Levels of socket options. */
export const LEVEL = { IP: 0, SOCKET: 1, TCP: 6, IPV6: 41 } as const;

/** Options of level SOL_SOCKET. */
export const SO = {
  DEBUG: 1,
  REUSEADDR: 2,
  TYPE: 3,
  ERROR: 4,
  DONTROUTE: 5,
  BROADCAST: 6,
  SNDBUF: 7,
  RCVBUF: 8,
  KEEPALIVE: 9,
  OOBINLINE: 10,
  NO_CHECK: 11,
  PRIORITY: 12,
  LINGER: 13,
  REUSEPORT: 15,
  RCVLOWAT: 18,
  SNDLOWAT: 19,
  RCVTIMEO: 20,
  SNDTIMEO: 21,
  TIMESTAMP: 29,
  ACCEPTCONN: 30,
  TIMESTAMPING: 37,
  SNDBUFFORCE: 32,
  RCVBUFFORCE: 33,
  MARK: 36,
  PROTOCOL: 38,
  DOMAIN: 39,
  MAX_PACING_RATE: 47,
  INCOMING_CPU: 49,
  ZEROCOPY: 60,
  TXREHASH: 74,
} as const;

/** Bits of SO_TIMESTAMPING. */
export const TIMESTAMPING = {
  TX_SOFTWARE: 2,
  SOFTWARE: 16,
  OPT_ID: 128,
  TX_SCHED: 256,
  TX_ACK: 512,
  OPT_TSONLY: 2048,
  /** Those that a send may ask for itself. */
  TX_RECORD: 1 | 2 | 256 | 512,
  OPT_ID_TCP: 0x10000,
  /** All that there are. */
  ALL: 0x7ffff,
} as const;

/** What a time stamp is of (`SCM_TSTAMP_…`). */
export const TSTAMP = { SND: 0, SCHED: 1, ACK: 2 } as const;

/** Where an entry of the error queue comes from (`SO_EE_ORIGIN_…`). */
export const ORIGIN = { ICMP: 2, ICMP6: 3, TIMESTAMPING: 4, ZEROCOPY: 5 } as const;

/** Options of level SOL_TCP. */
export const TCP = {
  NODELAY: 1,
  MAXSEG: 2,
  CORK: 3,
  KEEPIDLE: 4,
  KEEPINTVL: 5,
  KEEPCNT: 6,
  SYNCNT: 7,
  LINGER2: 8,
  DEFER_ACCEPT: 9,
  WINDOW_CLAMP: 10,
  INFO: 11,
  QUICKACK: 12,
  CONGESTION: 13,
  THIN_LINEAR_TIMEOUTS: 16,
  THIN_DUPACK: 17,
  USER_TIMEOUT: 18,
  FASTOPEN: 23,
  TIMESTAMP: 24,
  NOTSENT_LOWAT: 25,
  SAVE_SYN: 27,
  FASTOPEN_CONNECT: 30,
  FASTOPEN_KEY: 33,
  FASTOPEN_NO_COOKIE: 34,
  INQ: 36,
  TX_DELAY: 37,
} as const;

/** Options of level SOL_IP. */
export const IP = { TOS: 1, TTL: 2, MTU_DISCOVER: 10, RECVERR: 11, RECVTOS: 13, MTU: 14, FREEBIND: 15 } as const;

/** Options of level SOL_IPV6. */
export const IPV6 = {
  UNICAST_HOPS: 16,
  MTU_DISCOVER: 23,
  MTU: 24,
  RECVERR: 25,
  V6ONLY: 26,
  AUTOFLOWLABEL: 70,
  TCLASS: 67,
} as const;
