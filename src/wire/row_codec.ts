/**
 * Packet rows as real bytes and back.
 *
 * @module
 */
export { decodePacket, type DecodePacketOptions } from "./row_decode.ts";
export { encodePacket } from "./row_encode.ts";
export { IPV4_QUOTE_BYTES, IPV6_QUOTE_BYTES, quotePacket } from "./row_quote.ts";
