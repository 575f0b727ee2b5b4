import { assertEquals, assertMatch } from "@std/assert";
import { CONNECTED, failureOf } from "./play.ts";

const SENT = `${CONNECTED}+0 write(4, ..., 10) = 10\n`;

Deno.test("what the script leaves out of an expected packet is not looked at", () => {
  assertEquals(failureOf(`${SENT}+0 > P. 1:11(10) ack 1\n`), "");
  assertEquals(failureOf(`${SENT}+0 > P. 1:11(10) ack 1 <...>\n`), "");
});

Deno.test("numbers, length and window are compared", () => {
  assertMatch(failureOf(`${SENT}+0 > P. 2:12(10) ack 1\n`), /sequence number: expected 2, actual 1/);
  assertMatch(failureOf(`${SENT}+0 > P. 1:10(9) ack 1\n`), /payload bytes: expected 9, actual 10/);
  assertMatch(failureOf(`${SENT}+0 > P. 1:11(10) ack 2\n`), /acknowledgement number: expected 2, actual 1/);
  assertMatch(failureOf(`${SENT}+0 > P. 1:11(10) ack 1 win 1\n`), /window: expected 1, actual/);
});

Deno.test("flags are compared one by one", () => {
  assertMatch(failureOf(`${SENT}+0 > FP. 1:11(10) ack 1\n`), /FIN: expected 1, actual 0/);
  assertMatch(failureOf(`${SENT}+0 > P.E 1:11(10) ack 1\n`), /ECE: expected 1, actual 0/);
  assertMatch(failureOf(`${SENT}+0 > P.5 1:11(10) ack 1\n`), /ACE: expected 5, actual 0/);
});

Deno.test("TOS, ECN bits and TTL are compared where the script says them", () => {
  const tos = `${CONNECTED}+0 setsockopt(4, SOL_IP, IP_TOS, [0x10], 4) = 0\n+0 write(4, ..., 10) = 10\n`;
  assertEquals(failureOf(`${tos}+0 > [tos 0x10] P. 1:11(10) ack 1\n`), "");
  assertMatch(failureOf(`${tos}+0 > [tos 0x20] P. 1:11(10) ack 1\n`), /TOS: expected 32, actual 16/);
  assertEquals(failureOf(`${SENT}+0 > [noecn] P. 1:11(10) ack 1\n`), "");
  assertMatch(failureOf(`${SENT}+0 > [ect0] P. 1:11(10) ack 1\n`), /ECN bits: expected 2, actual 0/);
  assertMatch(failureOf(`${SENT}+0 > [ect01] P. 1:11(10) ack 1\n`), /ECN bits: expected 1 or 2, actual 0/);
  assertEquals(failureOf(`${SENT}+0 > [ttl 64] P. 1:11(10) ack 1\n`), "");
  assertMatch(failureOf(`${SENT}+0 > [ttl 63] P. 1:11(10) ack 1\n`), /TTL: expected 63, actual 64/);
});

const listen = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n";
const SYN = `${listen}+0 < S 0:0(0) win 32000 <mss 1000,sackOK,nop,nop>\n`;

Deno.test("options are compared in order, padding included", () => {
  assertEquals(failureOf(`${SYN}+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>\n`), "");
  assertMatch(
    failureOf(`${SYN}+0 > S. 0:0(0) ack 1 <nop,nop,sackOK,mss 1460>\n`),
    /options: expected <nop,nop,sackOK,mss 1460>, actual <mss 1460,nop,nop,sackOK>/,
  );
  assertMatch(
    failureOf(`${SYN}+0 > S. 0:0(0) ack 1 <mss 1400,nop,nop,sackOK>\n`),
    /option: expected mss 1400, actual mss 1460/,
  );
});

Deno.test("a script without options expects none", () => {
  assertMatch(failureOf(`${SYN}+0 > S. 0:0(0) ack 1\n`), /TCP header bytes: expected 20, actual 28/);
});

Deno.test("timestamp values are checked where a tick is given", () => {
  const script = (tick: string) =>
    `${tick}${listen}+0 < S 0:0(0) win 32000 <mss 1000,sackOK,TS val 5 ecr 0>
+0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 5>
+.1 < . 1:1(0) ack 1 win 32000 <nop,nop,TS val 6 ecr 100>
+0 accept(3, ..., ...) = 4
+0 write(4, ..., 10) = 10
+0 > P. 1:11(10) ack 1 <nop,nop,TS val 500 ecr 6>
`;
  assertEquals(failureOf(script("")), "");
  assertMatch(failureOf(script("--tcp_ts_tick_usecs=1000\n")), /timestamp value: expected 500, actual 200/);
});
