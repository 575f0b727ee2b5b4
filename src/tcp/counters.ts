/**
 * What a stack counts.
 *
 * @module
 */

/** Counts of a stack since it began; all integers. */
export class TcpCounters {
  /** Segments given to `segmentIn`. */
  segmentsIn = 0;
  /** Segments written to the outbox. */
  segmentsOut = 0;
  /** Payload bytes sent, retransmissions included. */
  bytesOut = 0;
  /** Payload bytes received in order. */
  bytesIn = 0;
  /** Segments retransmitted: data, FIN, SYN and SYN-ACK. */
  retransmissions = 0;
  /** Segments whose data was dropped for lack of memory (Linux `TCPRcvQDrop`). */
  memoryDrops = 0;
  /** Orphans that were reset since there were too many (Linux `TCPAbortOnMemory`). */
  orphansAborted = 0;
  /** Connections that found no room in TIME_WAIT and were closed at once (Linux `TCPTimeWaitOverflow`). */
  timeWaitOverflows = 0;
  /** Retransmission timeouts of data. */
  timeouts = 0;
  /** Retransmissions of SYN and of SYN-ACK by timeout. */
  synRetransmissions = 0;
  /** Retransmissions of SYN-ACK by timeout. */
  synAckRetransmissions = 0;
  /** Fast retransmits: entries into loss recovery by duplicate ACKs. */
  fastRetransmits = 0;
  /** Retransmissions that were lost again, as SACK showed. */
  lostRetransmissions = 0;
  /** Tail loss probes sent (RFC 8985 7), and losses that they repaired. */
  tailLossProbes = 0;
  /** Losses that a tail loss probe has repaired. */
  tailLossRepairs = 0;
  /** Reductions of the window that were undone, and of those after timeouts that were needless. */
  undos = 0;
  /** Needless timeouts found out by F-RTO, timestamps or D-SACK. */
  spuriousTimeouts = 0;
  /** D-SACKs received (RFC 2883). */
  duplicateSacks = 0;
  /** SACK blocks that could not be (out of the window, or reversed). */
  invalidSacks = 0;
  /** Timeouts that found the peer to have taken SACKed data back (RFC 2018 8). */
  sackRenegings = 0;
  /** Probes for the path's MTU (RFC 4821), those that were acknowledged, and those that were lost. */
  mtuProbes = 0;
  mtuProbesPassed = 0;
  mtuProbesLost = 0;
  /** Partial ACKs in recovery (RFC 6582). */
  partialAcks = 0;
  /** Duplicate ACKs received. */
  duplicateAcks = 0;
  /** Challenge ACKs sent, and withheld by the rate limit (RFC 5961). */
  challengeAcks = 0;
  /** Challenge ACKs that the rate limit withheld. */
  challengeAcksLimited = 0;
  /** Resets sent and accepted. */
  resetsSent = 0;
  /** Resets that were accepted. */
  resetsReceived = 0;
  /** Segments that arrived beyond a gap. */
  outOfOrder = 0;
  /** Segments that brought nothing new. */
  duplicateData = 0;
  /** Segments outside the window. */
  outOfWindow = 0;
  /** Segments refused for an old timestamp. */
  pawsRejects = 0;
  /** Segments for which there was neither connection nor listener. */
  noConnection = 0;
  /** Delayed ACKs that the timer sent. */
  delayedAcks = 0;
  /** Zero-window probes and keep-alive probes sent. */
  windowProbes = 0;
  /** Keep-alive probes sent. */
  keepAliveProbes = 0;
  /** Final ACKs and SYNs dropped because an accept queue was full; SYNs because a SYN queue was full. */
  acceptOverflows = 0;
  /** SYNs dropped because a SYN queue was full. */
  synOverflows = 0;
  /** SYN cookies sent, received again in a final ACK, and ACKs taken for one that were none (RFC 4987 3.6). */
  synCookiesSent = 0;
  /** SYN cookies that came back. */
  synCookiesReceived = 0;
  /** ACKs that might have brought a SYN cookie and did not. */
  synCookiesFailed = 0;
  /** Fast Open (RFC 7413): connections whose SYN's data was acknowledged, and those where it was not. */
  fastOpenActives = 0;
  /** Active opens whose SYN's data had to be sent again. */
  fastOpenActiveFails = 0;
  /** Connections that listeners made of a SYN. */
  fastOpenPassives = 0;
  /** SYNs with a wrong cookie. */
  fastOpenPassiveFails = 0;
  /** SYNs that found a listener's Fast Open queue full. */
  fastOpenOverflows = 0;
  /** SYNs that asked for a cookie. */
  fastOpenCookiesAsked = 0;
  /** Times that a path swallowed a Fast Open connection. */
  fastOpenBlackHoles = 0;
  /** Answers to segments out of place that the rate limit withheld. */
  acksSkipped = 0;
  /** SYNs dropped by listeners for any reason. */
  listenDrops = 0;
  /** Connections opened actively and passively (those that reached ESTABLISHED), and failed attempts. */
  activeOpens = 0;
  /** Connections that a listener made. */
  passiveOpens = 0;
  /** Attempts, active or passive, that came to nothing. */
  attemptFails = 0;
  /** Connections that ended with an error after they were established. */
  connectionErrors = 0;
  /** TIME_WAIT rows made; ended early by a new SYN; killed by a reset. */
  timeWaits = 0;
  /** TIME_WAIT rows ended early by a new connection. */
  timeWaitsRecycled = 0;
  /** TIME_WAIT rows ended by a reset. */
  timeWaitsKilled = 0;
  /** ICMP errors that matched a connection. */
  icmpErrors = 0;
  /** Negative advice to IP: times that data or a SYN was repeated `retries1` times (RFC 9293 3.8.3 MUST-20). */
  negativeAdvice = 0;
}
