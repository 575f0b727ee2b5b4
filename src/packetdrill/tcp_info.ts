/**
 * The names that a script's code sees: `tcp_info` of the socket, and the constants that go with it.
 *
 * @module
 */
import { connectionState, STATE, tcpInfo, tcpInfoOfListener } from "../tcp/mod.ts";
import type { EmulatedHost } from "./host.ts";
import type { Sock } from "./kernel/socket.ts";

/** Linux's numbers of TCP states, recovery states and `tcpi_options`. */
const CONSTANTS: readonly (readonly [string, number])[] = [
  ["TCP_ESTABLISHED", 1],
  ["TCP_SYN_SENT", 2],
  ["TCP_SYN_RECV", 3],
  ["TCP_FIN_WAIT1", 4],
  ["TCP_FIN_WAIT2", 5],
  ["TCP_TIME_WAIT", 6],
  ["TCP_CLOSE", 7],
  ["TCP_CLOSE_WAIT", 8],
  ["TCP_LAST_ACK", 9],
  ["TCP_LISTEN", 10],
  ["TCP_CLOSING", 11],
  ["TCP_CA_Open", 0],
  ["TCP_CA_Disorder", 1],
  ["TCP_CA_CWR", 2],
  ["TCP_CA_Recovery", 3],
  ["TCP_CA_Loss", 4],
  ["TCPI_OPT_TIMESTAMPS", 1],
  ["TCPI_OPT_SACK", 2],
  ["TCPI_OPT_WSCALE", 4],
  ["TCPI_OPT_ECN", 8],
  ["TCPI_OPT_ECN_SEEN", 16],
  ["TCPI_OPT_SYN_DATA", 32],
  ["TCPI_OPT_USEC_TS", 64],
  ["TCPI_OPT_TFO_CHILD", 128],
];

/** Names and values of a socket, now. */
export function tcpInfoValues(host: EmulatedHost, sock: Sock): Map<string, number> {
  const names = new Map(CONSTANTS);
  const { stack } = host;
  if (sock.listener !== 0) {
    for (const [name, value] of Object.entries(tcpInfoOfListener(stack, sock.listener))) names.set(name, value);
  } else if (sock.conn !== 0) {
    const info = tcpInfo(stack, sock.conn);
    for (const [name, value] of Object.entries(info)) names.set(name, value);
    if (connectionState(stack, sock.conn) === STATE.CLOSED) names.set("tcpi_state", 7);
  } else {
    // No connection: nothing but a state.
    for (const name of Object.keys(tcpInfoOfListener(stack, 0))) names.set(name, 0);
    names.set("tcpi_state", sock.deferred ? 2 : 7);
  }
  return names;
}
