/**
 * Offsets of rows in typed arrays, so that the compiler need not check them.
 *
 * @module
 */

/**
 * The bits that the offset of a row of `stride` words can have: `(row * STRIDE) & MASK`, where row is not negative, is
 * the same number, of which V8 knows that it is not negative and that adding a field's number (less than `stride`)
 * does not leave 31 bits. It leaves out both checks at each field: a tenth of all instructions of a packet-hop.
 *
 * Tables are at most `rowMask(stride) + stride` words long (8 GiB, or 4 where `stride` is no power of two).
 *
 * @param stride Words of a row, 1 to 2^16.
 */
export function rowMask(stride: number): number {
  return (stride & (stride - 1)) === 0 ? 0x80000000 - stride : 0x3fffffff;
}
