import { attribute } from './attributes.ts';
import { NLM_F_ACK, request } from './message.ts';
import { networkU32 } from './nf-expressions.ts';

const NFNL_SUBSYS_ULOG = 4;
const NFULNL_MSG_CONFIG = 1;
const NFULA_CFG_CMD = 1;
const NFULA_CFG_MODE = 2;
const NFULA_CFG_QTHRESH = 5;
const NFULNL_CFG_CMD_BIND = 1;
const NFULNL_COPY_NONE = 0;

/** Packets that a rule logs for `group` are reported to the socket that sends this, if nobody else has the group. */
export function bindLog(group: number): Uint8Array {
  return configuration(group, attribute(NFULA_CFG_CMD, Uint8Array.of(NFULNL_CFG_CMD_BIND)));
}

/** Report at once, one by one, and nothing of what is in them. */
export function reportAtOnce(group: number): Uint8Array {
  const mode = Uint8Array.of(...networkU32(0), NFULNL_COPY_NONE, 0); // `struct nfulnl_msg_config_mode`
  return configuration(group, attribute(NFULA_CFG_MODE, mode), attribute(NFULA_CFG_QTHRESH, networkU32(1)));
}

function configuration(group: number, ...attributes: readonly Uint8Array[]): Uint8Array {
  const fixed = Uint8Array.of(0, 0, group >> 8, group & 0xff); // `struct nfgenmsg`: the resource is the group
  return request((NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_CONFIG, NLM_F_ACK, fixed, ...attributes);
}
