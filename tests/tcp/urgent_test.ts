// Urgent data received: the pointer, the byte that is kept out of the stream, and the mark.
import { assertEquals } from "@std/assert";
import { ERRNO } from "../../src/base/errors.ts";
import {
  bytesInQueue,
  isAtMark,
  NOTHING,
  peekBytes,
  receiveBytes,
  receiveUrgent,
  setUrgentInline,
  TCP_EVENT,
} from "../../src/tcp/mod.ts";
import { passive, type RawPeer } from "./raw_peer.ts";

/** Text with an urgent pointer: one past the urgent byte, counted from the text's first. */
function urgent(peer: RawPeer, text: string, pointer: number): void {
  const bytes = new TextEncoder().encode(text);
  peer.send("P.U", { bytes, urgent: pointer });
  peer.seq += bytes.length;
}
const plain = (peer: RawPeer, text: string) => {
  const bytes = new TextEncoder().encode(text);
  peer.send("P.", { bytes });
  peer.seq += bytes.length;
};
const read = (peer: RawPeer, most = 100) => new TextDecoder().decode(receiveBytes(peer.world.stack, peer.conn, most));
const out = (peer: RawPeer, peek = false) => receiveUrgent(peer.world.stack, peer.conn, peek);

Deno.test("the urgent byte is out of band, and reads stop before it (RFC 9293 3.8.5, RFC 6093)", () => {
  const peer = passive();
  urgent(peer, "abcde", 3);
  assertEquals(bytesInQueue(peer.world.stack, peer.conn), 2);
  assertEquals(read(peer), "ab");
  assertEquals(isAtMark(peer.world.stack, peer.conn), true);
  assertEquals(out(peer, true), 0x63);
  assertEquals(out(peer), 0x63);
  assertEquals(out(peer), -ERRNO.EINVAL);
  assertEquals(new TextDecoder().decode(peekBytes(peer.world.stack, peer.conn, 9)), "de");
  assertEquals(read(peer), "de");
  assertEquals(isAtMark(peer.world.stack, peer.conn), false);
});

Deno.test("the application is told of it at once, with its place (MUST-32, MUST-33)", () => {
  const peer = passive();
  urgent(peer, "abcde", 5);
  const events = peer.world.events.filter((event) => event.kind === TCP_EVENT.URGENT);
  assertEquals(events.map((event) => (event.arg - peer.seq) | 0), [-1]);
});

Deno.test("inline, the byte is part of the stream, and reads still stop at it", () => {
  const peer = passive();
  setUrgentInline(peer.world.stack, peer.conn, true);
  urgent(peer, "abcde", 3);
  assertEquals(out(peer), -ERRNO.EINVAL);
  assertEquals([read(peer), read(peer)], ["ab", "cde"]);
});

Deno.test("a pointer beyond the segment announces what has not come (MUST-31: any length)", () => {
  const peer = passive();
  urgent(peer, "ab", 2000);
  assertEquals(out(peer), -ERRNO.EAGAIN);
  assertEquals(read(peer), "ab");
  peer.send(".", { length: 1997 });
  peer.seq += 1997;
  assertEquals(out(peer), -ERRNO.EAGAIN);
  plain(peer, "XY");
  assertEquals(out(peer), 0x58);
  assertEquals(read(peer, 5000).length, 1997);
  assertEquals(read(peer), "Y");
});

Deno.test("an urgent byte that will not come any more is an end, not a wait", () => {
  const peer = passive();
  urgent(peer, "ab", 9);
  peer.data(0, "F.");
  assertEquals(out(peer), NOTHING);
});

Deno.test("a newer pointer takes the place of an older one; the older byte is data no more once it was passed", () => {
  const peer = passive();
  urgent(peer, "ab", 1);
  urgent(peer, "cd", 2);
  assertEquals(out(peer), 0x64);
  assertEquals(read(peer), "bc");
});

Deno.test("a pointer to what was read already says nothing", () => {
  const peer = passive();
  plain(peer, "abc");
  assertEquals(read(peer), "abc");
  peer.send("P.U", { seq: peer.seq - 3, length: 3, urgent: 1 });
  assertEquals(out(peer), -ERRNO.EINVAL);
});

Deno.test("URG is taken though the window is shut (RFC 9293 MUST-66)", () => {
  const peer = passive({}, { profileB: { receiveBufferBytes: 4000, moderateReceiveBuffer: false } });
  peer.data(1460);
  assertEquals(peer.take().at(-1)!.window, 0);
  urgent(peer, "u", 1);
  assertEquals(peer.world.events.filter((event) => event.kind === TCP_EVENT.URGENT).length, 1);
});
