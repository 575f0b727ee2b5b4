import { assertEquals, assertThrows } from "@std/assert";
import { type Effect, interpretCommands } from "../../src/packetdrill/commands.ts";
import { arithmetic, ShellError } from "../../src/packetdrill/shell.ts";

const sysctl = (name: string, value: string): Effect => ({ kind: "sysctl", name: `net.ipv4.${name}`, value });

function why(text: string): string[] {
  return interpretCommands(text).map((effect) =>
    effect.kind === "none" ? `${effect.failed ? "failed: " : ""}${effect.why}` : effect.kind
  );
}

Deno.test("sysctl sets several settings at once, with quotes, arithmetic and both ways to write a name", () => {
  assertEquals(interpretCommands("sysctl -q net.ipv4.tcp_sack=0 net/ipv4/tcp_ecn=1"), [
    sysctl("tcp_sack", "0"),
    sysctl("tcp_ecn", "1"),
  ]);
  assertEquals(interpretCommands('sysctl -w net.ipv4.tcp_rmem="4096 540000 $((15*1024*1024))" > /dev/null 2>&1'), [
    sysctl("tcp_rmem", "4096 540000 15728640"),
  ]);
  assertEquals(interpretCommands("sysctl -qw 'net.ipv4.tcp_wmem=4096 5 6'"), [sysctl("tcp_wmem", "4096 5 6")]);
  assertEquals(interpretCommands("/sbin/sysctl -q \\\n  net.ipv4.tcp_sack=0 \\\n\t net.ipv4.tcp_dsack=0\n"), [
    sysctl("tcp_sack", "0"),
    sysctl("tcp_dsack", "0"),
  ]);
  assertEquals(why("sysctl net.ipv4.tcp_sack"), ["It only reads net.ipv4.tcp_sack."]);
  assertEquals(why("sysctl -p"), ["It sets nothing."]);
});

Deno.test("commands follow one another on lines, behind ; and &&; comments are left out", () => {
  assertEquals(
    interpretCommands(
      "../common/defaults.sh # first\n# none\nsysctl -q net.ipv4.tcp_ecn=2; sysctl -q net.ipv4.tcp_sack=0 &&\n ip tcp_metrics flush all > /dev/null 2>&1",
    ),
    [{ kind: "defaults" }, sysctl("tcp_ecn", "2"), sysctl("tcp_sack", "0"), { kind: "flush-metrics" }],
  );
});

Deno.test("a setting that Linux does not have fails, and what stands behind || happens", () => {
  assertEquals(why("sysctl -q net.ipv4.tcp_frobnicate=1 || ip tcp_metrics flush all"), [
    "failed: Linux has no setting net.ipv4.tcp_frobnicate.",
    "flush-metrics",
  ]);
  assertEquals(why("sysctl -q net.ipv4.tcp_sack=1 || ip tcp_metrics flush all"), ["sysctl"]);
  assertEquals(why("false && sysctl -q net.ipv4.tcp_sack=1; true"), ["failed: It fails.", "It does nothing."]);
  assertEquals(why("sysctl -e net.ipv4.tcp_frobnicate=1 || true"), ["Linux has no setting net.ipv4.tcp_frobnicate."]);
});

Deno.test("packetdrill's own scripts set, and set back", () => {
  assertEquals(
    interpretCommands(
      "../../common/set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0\\\n\t /proc/sys/net/ipv4/tcp_fastopen=0x202",
    ),
    [sysctl("tcp_timestamps", "0"), sysctl("tcp_fastopen", "0x202")],
  );
  assertEquals(interpretCommands("/tmp/sysctl_restore_${PPID}.sh"), [{ kind: "restore" }]);
  assertEquals(interpretCommands("/tmp/sysctl_restore_$PPID.sh"), [{ kind: "restore" }]);
  assertEquals(interpretCommands("bash ./defaults.sh"), [{ kind: "defaults" }]);
});

Deno.test("what is echoed into a setting or a module's parameter is set", () => {
  assertEquals(interpretCommands("echo 3 > /sys/module/tcp_cubic/parameters/hystart_detect"), [
    { kind: "module-parameter", module: "tcp_cubic", name: "hystart_detect", value: "3" },
  ]);
  assertEquals(interpretCommands("echo '1 2 3'>/proc/sys/net/ipv4/tcp_rmem"), [sysctl("tcp_rmem", "1 2 3")]);
  assertEquals(interpretCommands("echo 0 | tee /proc/sys/net/ipv4/tcp_sack").at(-1), sysctl("tcp_sack", "0"));
  assertEquals(why("echo 5 > /tmp/x"), ["What is written to /tmp/x has no meaning here."]);
});

Deno.test("variables and arithmetic are worked out", () => {
  assertEquals(interpretCommands("N=5\nM=$((N * 2)); sysctl -q net.ipv4.tcp_reordering=${M}"), [
    sysctl("tcp_reordering", "10"),
  ]);
  assertEquals(arithmetic("1 + 2 * (3 - 1) << 2"), 20);
  assertEquals(arithmetic("-7 / 2 + 0x10 + 010 % 5 ** 1"), 16);
  assertEquals(arithmetic("~0 & 255 | 256 ^ 1"), 511);
  for (const wrong of ["", "1 +", "1 / 0", "2 ** 99", "(1", "a", "1 ? 2", "9".repeat(20), "(".repeat(9999)]) {
    assertThrows(() => arithmetic(wrong), ShellError);
  }
});

Deno.test("queues are told with their device, discipline and limit", () => {
  const qdisc = (
    action: "add" | "replace" | "change" | "del",
    discipline: string | null,
    limit: number | null,
    rest: string[],
  ): Effect => {
    return { kind: "qdisc", action, device: "tun0", discipline, limit, arguments: rest };
  };
  assertEquals(interpretCommands("tc qdisc add dev tun0 root pfifo"), [qdisc("add", "pfifo", null, [])]);
  assertEquals(interpretCommands("tc qdisc replace dev tun0 root pfifo limit 0"), [
    qdisc("replace", "pfifo", 0, ["limit", "0"]),
  ]);
  assertEquals(interpretCommands("tc qdisc change dev tun0 root handle 1: netem delay 10ms limit 5"), [
    qdisc("change", "netem", 5, ["delay", "10ms", "limit", "5"]),
  ]);
  assertEquals(interpretCommands("tc qdisc delete dev tun0 root"), [qdisc("del", null, null, [])]);
  assertEquals(why("tc qdisc show dev tun0"), ["This part of tc has no meaning here."]);
});

Deno.test("routes are told with their metrics, locked or not", () => {
  assertEquals(interpretCommands("ip route replace 192.0.2.1 dev tun0 initcwnd 20 mtu lock 1400 features ecn"), [{
    kind: "route",
    action: "replace",
    destination: "192.0.2.1",
    via: null,
    device: "tun0",
    metrics: new Map([["initcwnd", "20"], ["mtu", "1400"], ["mtu lock", "1"], ["features", "ecn"]]),
  }]);
  assertEquals(interpretCommands("ip -6 ro change default via fd3d::1 rto_min 5ms quickack 1 congctl dctcp"), [{
    kind: "route",
    action: "change",
    destination: "default",
    via: "fd3d::1",
    device: null,
    metrics: new Map([["rto_min", "5ms"], ["quickack", "1"], ["congctl", "dctcp"]]),
  }]);
  assertEquals(why("ip route show"), ["It changes no route."]);
  assertEquals(why("ip route add"), ["failed: The route has no destination."]);
  assertEquals(why("ip addr add 1.2.3.4 dev tun0"), ["This part of ip has no meaning here."]);
});

Deno.test("devices have an MTU and features", () => {
  const device = (mtu: number | null, features: [string, boolean][]): Effect => ({
    kind: "device",
    device: "tun0",
    mtu,
    features: new Map(features),
  });
  assertEquals(interpretCommands("ip link set dev tun0 mtu 1400"), [device(1400, [])]);
  assertEquals(interpretCommands("ifconfig tun0 mtu 1200"), [device(1200, [])]);
  assertEquals(interpretCommands("ethtool -K tun0 tso off gso on"), [device(null, [["tso", false], ["gso", true]])]);
});

Deno.test("sleeping takes its time", () => {
  assertEquals(interpretCommands("sleep 0.25"), [{ kind: "sleep", ns: 250_000_000 }]);
  assertEquals(interpretCommands("sleep 2m; usleep 5"), [{ kind: "sleep", ns: 120e9 }, { kind: "sleep", ns: 5000 }]);
  assertEquals(why("sleep"), ["failed: How long it sleeps is not understood."]);
});

Deno.test("what has no meaning is told with the reason, not left out", () => {
  assertEquals(why("true; cat /proc/net/snmp | grep Tcp"), [
    "It does nothing.",
    "It only prints.",
    "What it reads is not known here.",
  ]);
  assertEquals(why("iptables -A INPUT -j DROP"), ['"iptables" is not a command that has a meaning here.']);
  assertEquals(why("rm -rf /"), ['"rm" is not a command that has a meaning here.']);
  assertEquals(interpretCommands(" \n# nothing\n"), []);
});

Deno.test("a line that is not understood does not take the others along, a loop does", () => {
  assertEquals(why("sysctl -q net.ipv4.tcp_sack=0\nx=$(cat /tmp/x)\n../defaults.sh"), [
    "sysctl",
    "A command within a command is not understood here.",
    "defaults",
  ]);
  assertEquals(why("for i in 1 2; do\nsysctl -q net.ipv4.tcp_sack=0\ndone"), [
    '"for" of the shell is not understood here.',
  ]);
  assertEquals(why("echo 'abc"), ["A text in quotes is never closed: ' is missing."]);
  assertEquals(why("echo $FOO"), ['The variable "FOO" is not known here.']);
});
