import { assert, assertEquals } from "@std/assert";
import { CONSTANTS, ERRNO_NUMBERS, errnoNameOf } from "../../src/packetdrill/constants.ts";
import { ERRNO } from "../../src/base/errors.ts";

Deno.test("constants have Linux's numbers", () => {
  const expected: Record<string, number> = {
    AF_INET: 2,
    AF_INET6: 10,
    SOCK_STREAM: 1,
    SOCK_NONBLOCK: 2048,
    IPPROTO_TCP: 6,
    SOL_SOCKET: 1,
    SOL_IPV6: 41,
    SO_REUSEADDR: 2,
    SO_LINGER: 13,
    TCP_NODELAY: 1,
    TCP_FASTOPEN_CONNECT: 30,
    TCP_RTO_MAX_MS: 44,
    IP_RECVERR: 11,
    IPV6_RECVERR: 25,
    IP_PMTUDISC_PROBE: 3,
    MSG_FASTOPEN: 0x20000000,
    MSG_ZEROCOPY: 0x4000000,
    O_NONBLOCK: 2048,
    F_SETFL: 4,
    POLLRDHUP: 0x2000,
    EPOLLET: 0x80000000,
    EPOLL_CTL_MOD: 3,
    SIOCINQ: 0x541b,
    SIOCOUTQ: 0x5411,
    SHUT_RDWR: 2,
    SO_EE_ORIGIN_ICMP: 2,
    SCM_TIMESTAMPING: 37,
    TCP_CLOSE_WAIT: 8,
    TCP_CA_Recovery: 3,
    TCPI_OPT_SYN_DATA: 32,
    TCP_INFINITE_SSTHRESH: 0x7fffffff,
    EHOSTUNREACH: 113,
    EWOULDBLOCK: 11,
  };
  for (const [name, number] of Object.entries(expected)) assertEquals([name, CONSTANTS.get(name)], [name, number]);
});

Deno.test("no constant is without a number", () => {
  for (const [name, number] of CONSTANTS) assert(Number.isSafeInteger(number) && number >= 0, name);
  assert(CONSTANTS.size > 500);
});

Deno.test("errors have names both ways, and every error of ours is one of Linux's", () => {
  assertEquals(errnoNameOf(11), "EAGAIN");
  assertEquals(errnoNameOf(95), "EOPNOTSUPP");
  assertEquals(errnoNameOf(35), "EDEADLK");
  assertEquals(errnoNameOf(0), undefined);
  // A resolver's errors are getaddrinfo's: no system call returns them.
  const ofCalls = Object.keys(ERRNO).filter((name) => !name.startsWith("EAI_"));
  for (const name of ofCalls) assert(ERRNO_NUMBERS.has(name), name);
});
