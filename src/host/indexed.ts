/** By what a context was last found. */
export interface Indexed {
  readonly nonce: number | undefined;
  readonly tagPeer: number | undefined;
  readonly movedTo: string | undefined;
}

export const NOWHERE: Indexed = { nonce: undefined, tagPeer: undefined, movedTo: undefined };
