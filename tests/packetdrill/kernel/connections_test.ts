import { assertEquals } from "@std/assert";
import { CONNECTED, failureOf } from "../play.ts";

const SOCKET = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n";
const NONBLOCKING = `${SOCKET}+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n`;

Deno.test("a socket without a connection is ENOTCONN to readers and EPIPE to writers", () => {
  assertEquals(
    failureOf(`${SOCKET}+0 recv(3, ..., 10, 0) = -1 ENOTCONN (Not connected)
+0 write(3, ..., 10) = -1 EPIPE (Broken pipe)
+0 getpeername(3, ..., ...) = -1 ENOTCONN (Not connected)
+0 poll([{fd=3, events=POLLOUT, revents=POLLOUT|POLLHUP}], 1, 0) = 1
`),
    "",
  );
});

Deno.test("accept wants a listener, listen an unconnected socket", () => {
  assertEquals(
    failureOf(`${CONNECTED}+0 accept(4, ..., ...) = -1 EINVAL (Invalid argument)
+0 listen(4, 1) = -1 EINVAL (Invalid argument)
+0 connect(3, ..., ...) = -1 EISCONN (Already connected)
+0 connect(4, ..., ...) = -1 EISCONN (Already connected)
`),
    "",
  );
});

Deno.test("the outcome of a non-blocking connect is 0 once and EISCONN afterwards", () => {
  assertEquals(
    failureOf(`${NONBLOCKING}+0 connect(3, ..., ...) = -1 EINPROGRESS (Now in progress)
+0 > S 0:0(0) <...>
+.01 < S. 0:0(0) ack 1 win 5000 <mss 1000>
+0 > . 1:1(0) ack 1
+0 connect(3, ..., ...) = 0
+0 connect(3, ..., ...) = -1 EISCONN (Already connected)
`),
    "",
  );
});

Deno.test("connect with AF_UNSPEC dissolves the connection, and the socket can connect again", () => {
  assertEquals(
    failureOf(`${NONBLOCKING}+0 connect(3, ..., ...) = -1 EINPROGRESS (Now in progress)
+0 > S 0:0(0) <...>
+.01 < S. 0:0(0) ack 1 win 5000 <mss 1000>
+0 > . 1:1(0) ack 1
+0 connect(3, AF_UNSPEC, ...) = 0
+0 > R. 1:1(0) ack 1
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNRESET], [4]) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Now in progress)
+0 > S 700:700(0) <...>
+.01 < S. 0:0(0) ack 701 win 5000 <mss 1000>
+0 > . 1:1(0) ack 1
`),
    "",
  );
});

Deno.test("below SO_RCVLOWAT there is nothing to read for poll; MSG_DONTWAIT does not wait", () => {
  assertEquals(
    failureOf(`${CONNECTED}+0 setsockopt(4, SOL_SOCKET, SO_RCVLOWAT, [50], 4) = 0
+0 recv(4, ..., 10, MSG_DONTWAIT) = -1 EAGAIN (Try again)
+0 < P. 1:11(10) ack 1 win 32000
+0 poll([{fd=4, events=POLLIN, revents=0}], 1, 0) = 0
+0 < P. 11:61(50) ack 1 win 32000
+0 poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 0) = 1
`),
    "",
  );
});

Deno.test("a reset after the peer's FIN is EPIPE to readers' errors, not ECONNRESET", () => {
  assertEquals(
    failureOf(`${CONNECTED}+0 < F. 1:1(0) ack 1 win 32000
+.001 > . 1:1(0) ack 2
+0 < R. 2:2(0) ack 1 win 32000
+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [EPIPE], [4]) = 0
`),
    "",
  );
});

Deno.test("shutdown of a connecting socket undoes the attempt", () => {
  assertEquals(
    failureOf(`${NONBLOCKING}+0 connect(3, ..., ...) = -1 EINPROGRESS (Now in progress)
+0 > S 0:0(0) <...>
+0 shutdown(3, SHUT_RDWR) = 0
+0 shutdown(3, 7) = -1 EINVAL (Invalid argument)
`),
    "",
  );
});

Deno.test("a blocking write returns when the last of it is taken", () => {
  assertEquals(
    failureOf(`${CONNECTED}+0 setsockopt(4, SOL_SOCKET, SO_SNDBUF, [10000], 4) = 0
+0...0.02 write(4, ..., 60000) = 60000
+.01 < . 1:1(0) ack 10001 win 64000
+.01 < . 1:1(0) ack 20001 win 64000
`),
    "",
  );
});
