import { field } from './ruleset.ts';
import type { Chain, Rule, Statement } from './ruleset.ts';

/** Something in a ruleset that stops, or may stop, packets of a protocol. */
export interface Obstacle {
  readonly chain: Chain;
  /** `undefined`: the policy of the chain. */
  readonly handle: number | undefined;
  /** Whatever else the packet is; else under conditions that are not looked into. */
  readonly certain: boolean;
}

/** Whether a rule concerns a packet of which only the protocol is known. */
type Match = 'yes' | 'no' | 'maybe';

/** Where a walk through a chain ends. */
type End = 'accepted' | 'dropped' | 'continues';

const FAMILIES: readonly string[] = ['ip6', 'inet', 'netdev'];
const DEPTH = 16; // nf_tables allows no more jumps

/** Names of /etc/protocols that nft prints instead of numbers. */
const NUMBERS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  'ipv6-icmp': 58,
  sctp: 132,
  udplite: 136,
  hip: 139,
  shim6: 140,
};

/** The chains through which packets come in and go out, with what would stop `protocol` there. Forwarding is not this host's own traffic. */
export function obstacles(chains: readonly Chain[], protocol: number): Obstacle[] {
  return chains
    .filter(({ family, hook }) => FAMILIES.includes(family) && hook !== undefined && hook !== 'forward')
    .flatMap((chain) => new Walk(chains, chain, protocol).run());
}

/** A rule that drops what is not routed back by the interface on which it came. */
export interface ReversePathFilter {
  readonly chain: Chain;
  readonly handle: number;
}

/** Strict reverse-path filters: with two providers, what comes in by one may be routed back by the other. */
export function reversePathFilters(chains: readonly Chain[]): ReversePathFilter[] {
  return chains
    .filter(({ family }) => FAMILIES.includes(family))
    .flatMap((chain) => chain.rules.filter(isStrictReversePath).map((rule) => ({ chain, handle: rule.handle })));
}

function isStrictReversePath({ statements }: Rule): boolean {
  if (!statements.some(({ name }) => name === 'drop' || name === 'reject')) return false;
  return statements.some(({ name, body }) => {
    if (name === 'xt') return field(body, 'name') === 'rpfilter';
    const flags = field(body, 'left', 'fib', 'flags');
    return name === 'match' && Array.isArray(flags) && flags.includes('saddr') && flags.includes('iif');
  });
}

class Walk {
  readonly #chains: readonly Chain[];
  readonly #base: Chain;
  readonly #protocol: number;
  readonly #found: Obstacle[] = [];
  #mayBeAccepted = false;

  constructor(chains: readonly Chain[], base: Chain, protocol: number) {
    this.#chains = chains;
    this.#base = base;
    this.#protocol = protocol;
  }

  run(): Obstacle[] {
    const end = this.#through(this.#base, true, 0);
    if (end === 'continues' && this.#base.policy === 'drop')
      this.#found.push({ chain: this.#base, handle: undefined, certain: !this.#mayBeAccepted });
    return this.#found;
  }

  #through(chain: Chain, certain: boolean, depth: number): End {
    for (const rule of chain.rules) {
      const { match, names } = this.#match(rule);
      if (match === 'no') continue;
      const sure = certain && match === 'yes';
      const verdict = this.#verdict(rule, match);
      if (verdict === undefined) continue;
      switch (verdict.name) {
        case 'drop':
        case 'reject':
          if (sure || names) this.#found.push({ chain, handle: rule.handle, certain: sure });
          if (match === 'yes') return 'dropped';
          break;
        case 'accept':
          if (match === 'yes') return 'accepted';
          this.#mayBeAccepted = true;
          break;
        case 'queue':
          this.#mayBeAccepted = true;
          break;
        case 'return':
          if (match === 'yes') return 'continues';
          break;
        case 'jump':
        case 'goto': {
          const target = this.#target(chain, verdict);
          if (target === undefined || depth >= DEPTH) break;
          const end = this.#through(target, sure, depth + 1);
          if (match === 'yes' && (end !== 'continues' || verdict.name === 'goto')) return end;
          if (end === 'accepted') this.#mayBeAccepted = true;
          break;
        }
      }
    }
    return 'continues';
  }

  /** How far all conditions of a rule hold; `names`: one of them asks for just this protocol. */
  #match({ statements }: Rule): { readonly match: Match; readonly names: boolean } {
    let match: Match = 'yes';
    let names = false;
    for (const { name, body } of statements) {
      if (name !== 'match' && name !== 'xt' && name !== 'limit') continue;
      const one: Match = name === 'match' ? this.#condition(body) : 'maybe';
      if (one === 'no') return { match: 'no', names: false };
      if (one === 'maybe') match = 'maybe';
      names ||= one === 'yes' && isProtocol(field(body, 'left')) && field(body, 'op') !== '!=';
    }
    return { match, names };
  }

  #condition(body: unknown): Match {
    const left = field(body, 'left');
    const negated = field(body, 'op') === '!=';
    const right = field(body, 'right');
    const turned = (holds: boolean | undefined): Match =>
      holds === undefined ? 'maybe' : holds === negated ? 'no' : 'yes';
    if (isProtocol(left)) return turned(this.#among(right));
    const key = field(left, 'meta', 'key');
    if (key === 'nfproto' || key === 'protocol') return turned(right === 'ipv6' || right === 'ip6');
    if ((key === 'iifname' || key === 'iif' || key === 'oifname' || key === 'oif') && right === 'lo')
      return turned(false);
    const header = field(left, 'payload', 'protocol');
    if (typeof header !== 'string' || header === 'ip6' || header === 'th' || header === 'ether') return 'maybe';
    return NUMBERS[header] === this.#protocol ? 'maybe' : 'no'; // a condition on a header that such a packet lacks
  }

  /** Whether the protocol is one of the values; `undefined` when the ruleset does not say here. */
  #among(right: unknown): boolean | undefined {
    if (typeof right === 'number') return right === this.#protocol;
    if (typeof right === 'string') return right.startsWith('@') ? undefined : NUMBERS[right] === this.#protocol;
    const range = field(right, 'range');
    if (Array.isArray(range)) return Number(range[0]) <= this.#protocol && this.#protocol <= Number(range[1]);
    const set = field(right, 'set') ?? right;
    if (!Array.isArray(set)) return undefined;
    const each = set.map((value: unknown) => this.#among(field(value, 'elem', 'val') ?? value));
    return each.includes(true) ? true : each.includes(undefined) ? undefined : false;
  }

  #verdict({ statements }: Rule, match: Match): Statement | undefined {
    for (const statement of statements) {
      if (VERDICTS.includes(statement.name)) return statement;
      if (statement.name === 'vmap') return this.#mapped(statement.body, match);
    }
    return undefined;
  }

  /** The verdict that a map has for the protocol; what maps other things may accept. */
  #mapped(body: unknown, match: Match): Statement | undefined {
    const entries = field(body, 'data', 'set');
    if (!isProtocol(field(body, 'key')) || !Array.isArray(entries)) {
      this.#mayBeAccepted = true;
      return undefined;
    }
    const entry: unknown = entries.find((one: unknown) => Array.isArray(one) && this.#among(one[0]) === true);
    const verdict: unknown = Array.isArray(entry) ? entry[1] : undefined;
    if (match !== 'yes' || typeof verdict !== 'object' || verdict === null) return undefined;
    const [[name, inner] = ['', undefined]] = Object.entries(verdict);
    return { name, body: inner };
  }

  #target({ family, table }: Chain, { body }: Statement): Chain | undefined {
    const name = field(body, 'target');
    return this.#chains.find((chain) => chain.family === family && chain.table === table && chain.name === name);
  }
}

const VERDICTS: readonly string[] = ['accept', 'drop', 'reject', 'queue', 'return', 'jump', 'goto'];

/** Does an expression stand for the protocol of a packet? */
function isProtocol(left: unknown): boolean {
  if (field(left, 'meta', 'key') === 'l4proto') return true;
  return field(left, 'payload', 'protocol') === 'ip6' && field(left, 'payload', 'field') === 'nexthdr';
}
