/* TCP, as much of it as this work exercises. */
#pragma once
#include "nat.h"
#include "network.h"
#include "table.h"
#include "timers.h"

/* The clock of round trips: 2^10 ns, 1024 of them to a timer's tick. */
static inline u32 roundTripClock(void) {
  return (u32)(now >> 10);
}

static void emit(struct connection *from, u32 seq, u32 length, u32 flags) {
  u32 row = takePacket();
  struct packet *packet = &packets[row];
  packet->source = from->tuple.local;
  packet->destination = from->tuple.remote;
  packet->ports = from->tuple.ports;
  packet->seq = seq;
  packet->ack = from->expected;
  packet->window = WINDOW;
  packet->length = (u16)length;
  packet->flags = (u8)flags;
  packet->ttl = 64;
  transmit(row, from->uplink);
}

static inline void acknowledge(struct connection *from) {
  emit(from, from->next, 0, ACK);
}

static void sendMessage(u32 row, u32 length) {
  struct connection *from = &connections[row];
  u32 seq = from->next;
  from->next += length;
  from->timedAt = roundTripClock();
  emit(from, seq, length, ACK | PUSH);
  arm(row, from->timeout << from->backoff);
}

static struct connection *addConnection(u32 row, u32 hash, struct tuple tuple, u32 uplink, enum state state,
                                        u32 first) {
  struct connection *new = &connections[row];
  new->tuple = tuple;
  new->uplink = uplink;
  new->state = (u8)state;
  new->unacked = first;
  new->next = first + 1;
  new->peerWindow = WINDOW;
  new->congestionWindow = 10 * SEGMENT;
  new->slowStartThreshold = INT32_MAX;
  new->timeout = TICKS_FIRST;
  new->timedAt = roundTripClock();
  histories[row].openedAt = now;
  histories[row].initialSent = first;
  histories[row].segmentSize = SEGMENT;
  histories[row].advertisedWindow = WINDOW;
  histories[row].sendScale = histories[row].receiveScale = 7;
  insert(&byTuple, hash, row);
  return new;
}

static void openConnection(u32 row) {
  u32 host = row % hostCount, port = FIRST_PORT + row / hostCount;
  struct tuple tuple = {FIRST_HOST + host, SERVER_ADDRESS, port << 16 | SERVER_PORT};
  u32 hash = hashOf(tuple.local, tuple.remote, tuple.ports);
  if (findConnection(hash, tuple.local, tuple.remote, tuple.ports) != NONE) fail("a port was given twice");
  struct connection *client = addConnection(row, hash, tuple, host, SYN_SENT, row * 0x9E3779B1u);
  emit(client, client->unacked, 0, SYN);
  arm(row, TICKS_FIRST);
}

static void acceptConnection(const struct packet *syn) {
  if (acceptedCount == connectionCount) fail("more connections arrived than were opened");
  u32 row = connectionCount + acceptedCount++;
  struct tuple tuple = {syn->destination, syn->source, turned(syn->ports)};
  struct connection *server =
      addConnection(row, syn->hash, tuple, middle(SERVER_R3), SYN_RECEIVED, row * 0x85EBCA6Bu);
  server->expected = syn->seq + 1;
  histories[row].initialReceived = syn->seq;
  emit(server, server->unacked, 0, SYN | ACK);
  arm(row, TICKS_FIRST);
}

/* RFC 6298, section 5: again, twice as late, from the smallest window; and the sample is no more good (Karn). */
static void retransmit(u32 row) {
  struct connection *from = &connections[row];
  retransmissions++;
  if (from->backoff < 6) from->backoff++;
  from->slowStartThreshold = from->congestionWindow / 2;
  from->congestionWindow = SEGMENT;
  from->timedAt = 0;
  if (from->state == SYN_SENT) emit(from, from->unacked, 0, SYN);
  else if (from->state == SYN_RECEIVED) emit(from, from->unacked, 0, SYN | ACK);
  else emit(from, from->unacked, from->next - from->unacked, ACK | PUSH);
  arm(row, from->timeout << from->backoff);
}

/* RFC 6298, section 2. */
static inline void measureRoundTrip(struct connection *at) {
  if (at->timedAt == 0) return;
  int32_t measured = (int32_t)(roundTripClock() - at->timedAt);
  at->timedAt = 0;
  at->backoff = 0;
  if (at->smoothedRtt == 0) {
    at->smoothedRtt = (u32)measured << 3;
    at->rttVariation = (u32)measured << 1;
  } else {
    int32_t error = measured - (int32_t)(at->smoothedRtt >> 3);
    at->smoothedRtt += (u32)error;
    at->rttVariation += (u32)abs(error) - (at->rttVariation >> 2);
  }
  u32 ticks = ((at->smoothedRtt >> 3) + at->rttVariation) >> (TICK_BITS - 10);
  at->timeout = ticks < TICKS_MIN ? TICKS_MIN : ticks > TICKS_MAX ? TICKS_MAX : ticks;
}

static void handshakeAnswered(u32 row, struct connection *client, const struct packet *packet) {
  if (packet->flags != (SYN | ACK) || packet->ack != client->next) return;
  client->unacked = packet->ack;
  client->expected = packet->seq + 1;
  client->peerWindow = packet->window;
  client->state = ESTABLISHED;
  histories[row].initialReceived = packet->seq;
  measureRoundTrip(client);
  disarm(row);
  established++;
  acknowledge(client);
  sendMessage(row, REQUEST);
}

static inline void takeAcknowledgement(u32 row, struct connection *at, u32 ack) {
  u32 advance = ack - at->unacked;
  if ((int32_t)advance <= 0 || (int32_t)(at->next - ack) < 0) return;
  at->unacked = ack;
  measureRoundTrip(at);
  u32 window = at->congestionWindow;
  if (window < at->slowStartThreshold) window += advance < SEGMENT ? advance : SEGMENT;
  else window += SEGMENT * SEGMENT / window;
  at->congestionWindow = window;
  if (ack == at->next) disarm(row);
  else arm(row, at->timeout);
}

/* In order or not at all: without loss nothing comes early. */
static inline void takeData(u32 row, struct connection *at, u32 seq, u32 length) {
  u32 known = at->expected - seq;
  bool fresh = known < length;
  if (fresh) {
    at->expected = seq + length;
    at->received += length - known;
  }
  acknowledge(at);
  if (!fresh) return;
  bool isServer = row >= connectionCount;
  u32 message = isServer ? REQUEST : REPLY;
  if (at->received < message) return;
  at->received -= message;
  if (isServer) sendMessage(row, REPLY);
  else replies++;
}

/* Takes a segment where it was sent to; the packet has been released, and this is a copy. */
static void segmentArrives(enum place place, struct packet packet) {
  u32 row = findConnection(packet.hash, packet.destination, packet.source, turned(packet.ports));
  if (row == NONE) {
    if (place == SERVER && packet.flags == SYN && (packet.ports & 0xFFFF) == SERVER_PORT) acceptConnection(&packet);
    else dropped++;
    return;
  }
  struct connection *at = &connections[row];
  if (at->state == SYN_SENT) {
    handshakeAnswered(row, at, &packet);
    return;
  }
  int32_t ahead = (int32_t)(packet.seq - at->expected);
  if (packet.flags & SYN) {
    if (at->state == SYN_RECEIVED) emit(at, at->unacked, 0, SYN | ACK);
    else acknowledge(at);
    return;
  }
  if (ahead > WINDOW || ahead + packet.length < 0) {
    acknowledge(at);
    return;
  }
  if (!(packet.flags & ACK)) return;
  if (at->state == SYN_RECEIVED) {
    if (packet.ack != at->next) return;
    at->state = ESTABLISHED;
  }
  takeAcknowledgement(row, at, packet.ack);
  at->peerWindow = packet.window;
  if (packet.length > 0) takeData(row, at, packet.seq, packet.length);
}
