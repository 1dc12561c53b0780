/**
 * Classic BPF programs that share the packets of protocol 140 out among sockets, so that a flood of one kind fills only the
 * queue of its own. `struct sock_filter`: code (16), jump if true (8), jump if false (8), operand (32), in host byte order.
 */
type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

const LOAD_OCTET = 0x30; // BPF_LD | BPF_B | BPF_ABS: ends the program with "no" where the packet is too short
const JUMP_IF_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_IF_ANY = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K
const WHOLE = 0xffff_ffff;

/** RFC 5533 §5.2, §5.3: P and the type of the message; filters see packets from the Shim6 header on. */
const TYPE_AT = 2;
const P = 0x80;
const I1 = 1;

/** Payload behind a Shim6 header. */
export const PAYLOAD_ONLY: Uint8Array = assembled([
  [LOAD_OCTET, 0, 0, TYPE_AT],
  [JUMP_IF_ANY, 0, 1, P],
  [RETURN, 0, 0, WHOLE],
  [RETURN, 0, 0, 0],
]);

/** The only message that anybody may send to anybody. */
export const I1_ONLY: Uint8Array = assembled([
  [LOAD_OCTET, 0, 0, TYPE_AT],
  [JUMP_IF_EQUAL, 0, 1, I1],
  [RETURN, 0, 0, WHOLE],
  [RETURN, 0, 0, 0],
]);

/** All other control messages. */
export const CONTROL_BUT_I1: Uint8Array = assembled([
  [LOAD_OCTET, 0, 0, TYPE_AT],
  [JUMP_IF_ANY, 2, 0, P],
  [JUMP_IF_EQUAL, 1, 0, I1],
  [RETURN, 0, 0, WHOLE],
  [RETURN, 0, 0, 0],
]);

function assembled(instructions: readonly Instruction[]): Uint8Array {
  const program = new Uint8Array(8 * instructions.length);
  const view = new DataView(program.buffer);
  instructions.forEach(([code, ifTrue, ifFalse, operand], i) => {
    view.setUint16(8 * i, code, true);
    view.setUint8(8 * i + 2, ifTrue);
    view.setUint8(8 * i + 3, ifFalse);
    view.setUint32(8 * i + 4, operand, true);
  });
  return program;
}
