/**
 * Rows of accounts.
 *
 * @module
 */

/** What `TCP_INFO` counts of a connection, where `Profile.accounting` is on: kept from the first SYN to the end. */
export const ACCOUNT = {
  /** Words in a row; the accounting code names them. */
  STRIDE: 48,
} as const;
