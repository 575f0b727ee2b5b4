/* What there is a row of: packets, connections, mappings of the NAT; and what is counted. */
#pragma once
#include "base.h"

/* Addresses and ports from one end's side: `ports` is the local one in the upper half, the remote one in the lower. */
struct tuple {
  u32 local, remote, ports;
};

enum flag { SYN = 2, PUSH = 8, ACK = 16 };

/* A packet under way: one cache line. */
struct packet {
  u32 source, destination;
  u32 ports; /* the source's in the upper half */
  u32 seq, ack;
  u16 window, length;
  u8 flags, ttl;
  u32 hash;     /* of the tuple by which the next node will look it up */
  u32 nextFree; /* while it is in nobody's hands */
  u32 spare[6];
};

enum state { SYN_SENT, SYN_RECEIVED, ESTABLISHED };

/* What a connection's every segment needs: one cache line. Sequence numbers compare modulo 2^32. */
struct connection {
  struct tuple tuple;
  u32 uplink; /* the link by which its host sends */
  u8 state, backoff;
  u16 peerWindow;
  u32 unacked, next, expected;
  u32 congestionWindow, slowStartThreshold;
  u32 smoothedRtt, rttVariation; /* 8 and 4 times the value, as RFC 6298's shifts want them, in units of 2^10 ns */
  u32 timeout;                   /* in timer ticks */
  u32 timedAt;                   /* when the segment being timed left, in units of 2^10 ns; 0: none is timed */
  u32 received;                  /* bytes of the current message */
};

/* What it needs to begin and to be looked at, and seldom in between. */
struct connectionHistory {
  nanoseconds openedAt;
  u32 initialSent, initialReceived;
  u32 segmentSize, advertisedWindow;
  u8 sendScale, receiveScale;
  u32 spare[9]; /* what a whole TCP would remember of the handshake */
};

/* A NAT's mapping of one connection: one cache line. */
struct mapping {
  struct tuple inside, outside;
  u32 createdTick, usedTick;
  u32 packetsOut, packetsIn;
  u64 bytesOut, bytesIn;
  u32 spare[2];
};

static struct packet *packets;
static u32 packetsUsed, freePacket;
static struct connection *connections; /* clients first, then the server's ends as they are accepted */
static struct connectionHistory *histories;
static struct mapping *mappings;
static u32 acceptedCount, mappingCount;

static u64 hops, digest = 0x9AE16A3B2F90404Full, established, replies, retransmissions, dropped;
