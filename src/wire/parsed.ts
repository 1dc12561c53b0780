/** Why octets from the network were refused, and where. */
export type Reason =
  | 'truncated' // a field runs past the end
  | 'trailing' // octets are left over
  | 'bad-value' // a field holds a value its RFC forbids
  | 'bad-length' // a length field contradicts its container
  | 'bad-checksum'
  | 'duplicate'; // an element that may occur once occurs twice

/** A refusal: `at` is the offset of the offending octet from the start of what was parsed. */
export interface Refused {
  readonly ok: false;
  readonly reason: Reason;
  readonly at: number;
}

/** Result of a parser. Parsers never throw on octets from the network. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | Refused;
