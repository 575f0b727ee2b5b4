import { assertEquals, assertMatch } from "@std/assert";
import { CONNECTED, failureOf } from "../play.ts";

const SOCKET = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n";

Deno.test("what is set is read, before and after there is a connection", () => {
  assertEquals(
    failureOf(`${CONNECTED}+0 setsockopt(4, SOL_TCP, TCP_KEEPIDLE, [7], 4) = 0
+0 getsockopt(4, SOL_TCP, TCP_KEEPIDLE, [7], [4]) = 0
+0 setsockopt(4, SOL_TCP, TCP_USER_TIMEOUT, [900], 4) = 0
+0 getsockopt(4, SOL_TCP, TCP_USER_TIMEOUT, [900], [4]) = 0
`),
    "",
  );
  assertEquals(
    failureOf(`${SOCKET}+0 setsockopt(3, SOL_TCP, TCP_NODELAY, [1], 4) = 0
+0 getsockopt(3, SOL_TCP, TCP_NODELAY, [1], [4]) = 0
+0 getsockopt(3, SOL_TCP, TCP_CONGESTION, "cubic", [5]) = 0
`),
    "",
  );
});

Deno.test("a value that differs fails with both", () => {
  assertMatch(
    failureOf(`${SOCKET}+0 getsockopt(3, SOL_TCP, TCP_KEEPCNT, [5], [4]) = 0\n`),
    /option value: expected 5, actual 9/,
  );
});

Deno.test("values outside of Linux's ranges are EINVAL, unknown options ENOPROTOOPT", () => {
  assertEquals(
    failureOf(`${SOCKET}+0 setsockopt(3, SOL_TCP, TCP_MAXSEG, [20], 4) = -1 EINVAL (Invalid argument)
+0 setsockopt(3, SOL_TCP, TCP_KEEPCNT, [200], 4) = -1 EINVAL (Invalid argument)
+0 setsockopt(3, SOL_TCP, 999, [1], 4) = -1 ENOPROTOOPT (Protocol not available)
+0 setsockopt(3, SOL_TCP, TCP_CONGESTION, "nobody", 6) = -1 ENOENT (No such file or directory)
`),
    "",
  );
});

Deno.test("accepted connections have their listener's options", () => {
  assertEquals(
    failureOf(`${SOCKET}+0 setsockopt(3, SOL_TCP, TCP_NODELAY, [1], 4) = 0
+0 setsockopt(3, SOL_IP, IP_TOS, [0x10], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32000 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.02 < . 1:1(0) ack 1 win 32000
+0 accept(3, ..., ...) = 4
+0 getsockopt(4, SOL_TCP, TCP_NODELAY, [1], [4]) = 0
+0 write(4, ..., 10) = 10
+0 > [tos 0x10] P. 1:11(10) ack 1
+0 write(4, ..., 10) = 10
+0 > [tos 0x10] P. 11:21(10) ack 1
`),
    "",
  );
});

Deno.test("options set before connect are in the SYN", () => {
  assertEquals(
    failureOf(`${SOCKET}+0 setsockopt(3, SOL_IP, IP_TOS, [0x20], 4) = 0
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > [tos 0x20] S 0:0(0) <...>
`),
    "",
  );
});
