// What TCP_INFO counts where the profile asks for it.
import { assertEquals } from "@std/assert";
import { send, setSendBuffer, shutdownWrite, type TcpInfo, tcpInfo } from "../../src/tcp/mod.ts";
import { MS, SECOND } from "./harness.ts";
import { active, passive, type RawPeer } from "./raw_peer.ts";

const COUNTED = { profileA: { accounting: true }, profileB: { accounting: true } };

function info(peer: RawPeer): TcpInfo {
  return tcpInfo(peer.world.stack, peer.conn);
}

Deno.test("segments and bytes are counted both ways, SYN and FIN as a byte acknowledged or received", () => {
  const peer = active({}, COUNTED);
  send(peer.world.stack, peer.conn, 3000);
  peer.world.drain();
  peer.data(500);
  peer.ack += 3000;
  peer.data(200);
  const { tcpi_bytes_acked, tcpi_bytes_received, tcpi_bytes_sent, tcpi_segs_in, tcpi_data_segs_in } = info(peer);
  assertEquals([tcpi_bytes_acked, tcpi_bytes_received, tcpi_bytes_sent], [3001, 700, 3000]);
  // SYN-ACK, and two with data; the SYN, the ACK of the handshake, three with data, and two ACKs.
  assertEquals([tcpi_segs_in, tcpi_data_segs_in], [3, 2]);
  assertEquals([info(peer).tcpi_segs_out, info(peer).tcpi_data_segs_out], [7, 3]);
  shutdownWrite(peer.world.stack, peer.conn);
  peer.world.drain();
  peer.ack++;
  peer.data(0, "F.");
  const after = info(peer);
  assertEquals([after.tcpi_bytes_acked, after.tcpi_bytes_received], [3002, 701]);
});

Deno.test("times since data and ACKs came and went are told in ms", () => {
  const peer = passive({}, COUNTED);
  peer.world.run(SECOND);
  send(peer.world.stack, peer.conn, 100);
  peer.world.run(30 * MS);
  peer.ack += 100;
  peer.send(".");
  peer.world.run(20 * MS);
  peer.data(100);
  peer.world.run(7 * MS);
  const { tcpi_last_data_sent, tcpi_last_data_recv, tcpi_last_ack_recv } = info(peer);
  assertEquals([tcpi_last_data_sent, tcpi_last_data_recv, tcpi_last_ack_recv], [57, 7, 7]);
});

Deno.test("retransmissions, timeouts and the time that they took are counted", () => {
  const peer = active({}, COUNTED);
  send(peer.world.stack, peer.conn, 1000);
  peer.world.run(700 * MS);
  const during = info(peer);
  assertEquals([during.tcpi_total_retrans, during.tcpi_bytes_retrans, during.tcpi_total_rto], [2, 2000, 2]);
  assertEquals([during.tcpi_bytes_sent, during.tcpi_data_segs_out, during.tcpi_rehash], [3000, 3, 2]);
  peer.ack += 1000;
  peer.send(".");
  const after = info(peer);
  assertEquals([after.tcpi_total_rto_recoveries, after.tcpi_total_rto], [1, 2]);
  // From the first timeout (200 ms and a little) to the ACK.
  assertEquals(after.tcpi_total_rto_time > 480 && after.tcpi_total_rto_time <= 500, true);
});

Deno.test("segments out of order are counted", () => {
  const peer = passive({}, COUNTED);
  peer.send("P.", { seq: peer.seq + 100, length: 100 });
  peer.data(100);
  assertEquals([info(peer).tcpi_rcv_ooopack, info(peer).tcpi_bytes_received], [1, 200]);
});

Deno.test("time is told apart: busy, held by the peer's window, held by the send buffer", () => {
  // The congestion window is not the limit.
  const peer = active({ mss: 1000, window: 10_000 }, { profileA: { accounting: true, initialWindowSegments: 50 } });
  const { stack } = peer.world;
  peer.world.run(SECOND);
  assertEquals(info(peer).tcpi_busy_time, 0);
  send(stack, peer.conn, 1000);
  peer.world.run(50 * MS);
  peer.ack += 1000;
  peer.send(".");
  peer.world.run(SECOND);
  assertEquals([info(peer).tcpi_busy_time, info(peer).tcpi_rwnd_limited], [50_000, 0]);
  send(stack, peer.conn, 20_000);
  peer.world.run(30 * MS);
  assertEquals([info(peer).tcpi_busy_time, info(peer).tcpi_rwnd_limited], [80_000, 30_000]);
  peer.ack += 10_000;
  peer.send(".");
  peer.ack += 10_000;
  peer.send(".");
  const before = info(peer);
  assertEquals(before.tcpi_unacked, 0);
  setSendBuffer(stack, peer.conn, 2304);
  peer.window = 30_000;
  peer.send(".");
  send(stack, peer.conn, 100_000);
  peer.world.run(40 * MS);
  const { tcpi_sndbuf_limited, tcpi_busy_time } = info(peer);
  assertEquals([tcpi_sndbuf_limited, tcpi_busy_time], [40_000, before.tcpi_busy_time + 40_000]);
});

Deno.test("without accounting nothing is counted, and an idle connection keeps no cold row", () => {
  const peer = active();
  send(peer.world.stack, peer.conn, 1000);
  peer.world.drain();
  peer.ack += 1000;
  peer.send(".");
  assertEquals([info(peer).tcpi_bytes_acked, info(peer).tcpi_segs_out], [0, 0]);
  assertEquals(peer.world.stack.cold.inUse, 0);
});
