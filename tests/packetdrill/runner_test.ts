import { assert, assertEquals, assertMatch } from "@std/assert";
import { AFTER_CONNECTED, CONNECTED, failureOf, play } from "./play.ts";

const line = (n: number) => AFTER_CONNECTED + n;

Deno.test("a script whose events all happen passes, and says when it ended", () => {
  const report = play(`${CONNECTED}+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n`);
  assertEquals(report.failure, undefined);
  assert(report.ok);
  assertEquals(report.endNs, 20e6);
});

Deno.test("a packet that differs is shown as expected and as it was, in the script's numbers", () => {
  const { failure, ok } = play(`${CONNECTED}+0 write(4, ..., 10) = 10\n+0 > . 1:11(10) ack 1 win 5\n`);
  assert(!ok);
  assertEquals(failure?.line, line(1));
  assertEquals(failure?.message, "PSH: expected 0, actual 1");
  assertEquals(failure?.expected, "0.020000 > . 1:11(10) ack 1 win 5");
  assertMatch(failure?.actual ?? "", /^0\.020000 > P\. 1:11\(10\) ack 1 win \d+$/);
});

Deno.test("a packet that does not come is waited for two seconds past its time", () => {
  const report = play(`${CONNECTED}+1 > P. 1:11(10) ack 1\n`);
  assertEquals(report.failure?.message, "the packet did not come");
  assertEquals(report.endNs, 20e6 + 3e9);
});

Deno.test("a packet that comes late fails by its time", () => {
  const script = `${CONNECTED}+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+.1 > P. 1:11(10) ack 1\n`;
  assertMatch(failureOf(script), new RegExp(`^${line(2)}: the packet was due at 0\\.120000 s and came at `));
});

Deno.test("a packet may come at any time, or within a range", () => {
  const written = `${CONNECTED}+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n`;
  assertEquals(failureOf(`${written}* > P. 1:11(10) ack 1\n`), "");
  assertEquals(failureOf(`${written}+.1~+.5 > P. 1:11(10) ack 1\n`), "");
  assertMatch(failureOf(`${written}+.3~+.5 > P. 1:11(10) ack 1\n`), /due between/);
});

Deno.test("the tolerance is 4 ms, an eighth of the time since the event before, or what an option says", () => {
  const late = `+0 write(4, ..., 10) = 10\n+.003 > P. 1:11(10) ack 1\n`;
  assertEquals(failureOf(CONNECTED + late), "");
  assertMatch(failureOf(`--tolerance_usecs=1000\n--tolerance_percent=0${CONNECTED}${late}`), /tolerance 0\.001000 s/);
  assertMatch(failureOf(CONNECTED + late, { given: [["tolerance_usecs", "500"], ["tolerance_percent", "0"]] }), /due/);
});

Deno.test("packets put in one after the other count their times from each other", () => {
  assertEquals(
    failureOf(`${CONNECTED}+.01 < P. 1:11(10) ack 1 win 32000
+.01 < P. 11:21(10) ack 1 win 32000
0.06 ioctl(4, SIOCINQ, [20]) = 0
`),
    "",
  );
});

Deno.test("segments on the wire are joined to the script's longer one, unless segments are strict", () => {
  const script = `${CONNECTED}+0 write(4, ..., 2000) = 2000\n+0 > P. 1:2001(2000) ack 1\n`;
  assertEquals(failureOf(script), "");
  assertMatch(failureOf(script, { given: [["strict_segments", ""]] }), /payload bytes: expected 2000, actual 1000/);
});

Deno.test("segments of several sizes are not joined", () => {
  const script = `${CONNECTED}+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0
+0 write(4, ..., 100) = 100
+0 write(4, ..., 200) = 200
+0 write(4, ..., 300) = 300
+0 > P. 1:601(600) ack 1
`;
  assertMatch(failureOf(script), /payload bytes of the next piece: expected 100, actual 200/);
});

Deno.test("a result that differs is told with its errno", () => {
  const { failure } = play("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 write(3, ..., 10) = 10\n");
  assertEquals(failure?.line, 2);
  assertEquals(failure?.expected, "10");
  assertEquals(failure?.actual, "-1 EPIPE");
});

Deno.test("an errno that differs fails", () => {
  const { failure } = play("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 write(3, ..., 10) = -1 EINVAL (Not so)\n");
  assertEquals(failure?.message, "write failed otherwise");
  assertEquals(failure?.actual, "-1 EPIPE");
});

Deno.test("a blocking call must return at its time", () => {
  const script = (ends: string) =>
    `${CONNECTED}+0...${ends} read(4, ..., 100) = 10\n+.1 < P. 1:11(10) ack 1 win 32000\n`;
  assertEquals(failureOf(script("0.1")), "");
  assertMatch(failureOf(script("0.5")), /the return of read was due at 0\.520000 s and came at 0\.120000 s/);
});

Deno.test("a blocking call that has not returned by the end fails", () => {
  assertEquals(
    failureOf(`${CONNECTED}+0...5 read(4, ..., 100) = 10\n`),
    `${line(0)}: read has not returned by the end`,
  );
});

Deno.test("a call that blocks unexpectedly holds the script up", () => {
  assertEquals(
    failureOf(`${CONNECTED}+0 read(4, ..., 100) = 10\n`),
    `${line(0)}: read blocks and nothing would end it`,
  );
});

Deno.test("an echo of a timestamp that was never sent is a mistake of the script", () => {
  assertMatch(failureOf(`${CONNECTED}+0 < . 1:1(0) ack 1 win 32000 <nop,nop,TS val 1 ecr 7>\n`), /echoes timestamp 7/);
});

Deno.test("code sees tcp_info of the connection, and fails at its line", () => {
  assertEquals(failureOf(`${CONNECTED}+0 %{ assert tcpi_snd_mss == 1000, tcpi_snd_mss }%\n`), "");
  assertMatch(
    failureOf(`${CONNECTED}+0 %{ assert tcpi_snd_mss == 7 }%\n`),
    new RegExp(`^${line(0)}: .*tcpi_snd_mss is 1000`),
  );
});

Deno.test("the first event is at time 0, and absolute times do not go back", () => {
  assertMatch(failureOf("1 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"), /must be at time 0/);
  assertMatch(
    failureOf("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n0.5 bind(3, ..., ...) = 0\n0.2 listen(3, 1) = 0\n"),
    /time goes back/,
  );
});

Deno.test("a file that is not open is a mistake of the script", () => {
  assertEquals(failureOf("0 close(9) = 0\n"), "1: no file is open that the script calls 9");
});

Deno.test("commands without meaning are listed with their line", () => {
  const { ignored } = play("0 `true; sysctl -q net.ipv4.tcp_ecn=0; sysctl -q net.ipv4.tcp_mem=1`\n");
  assertEquals(ignored.map(({ line }) => line), [1, 1]);
  assertMatch(ignored[1].text, /tcp_mem/);
});

Deno.test("a command that sleeps lets time pass", () => {
  assertEquals(failureOf(`${CONNECTED}+0 \`sleep 2\`\n2.02 ioctl(4, SIOCINQ, [0]) = 0\n`), "");
});

Deno.test("a trace has a line for every packet and call", () => {
  const { trace } = play(`${CONNECTED}+0 close(4) = 0\n+0 > F. 1:1(0) ack 1\n`, { trace: true });
  assert(trace.includes("0.000000 > S. 0:0(0) ack 1 win 65535 <mss 1460>"), trace.join("\n"));
  assert(trace.includes("0.020000 < . 1:1(0) ack 1 win 32000"));
  assert(trace.includes("0.020000 close(…) = 0"));
});

Deno.test("the same script runs over IPv6", () => {
  const report = play(`${CONNECTED}+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n`, { ipVersion: "ipv6" });
  assertEquals(report.failure, undefined);
});
