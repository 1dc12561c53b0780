import { readFileSync } from 'node:fs';

/** A protocol whose requirements are in a register of their own: `docs/conformance/NAME.jsonl`. */
export interface Protocol {
  readonly name: string;
  readonly title: string;
  /** What ids begin with. */
  readonly prefix: string;
  /** Where the requirements come from, as a sentence. */
  readonly sources: string;
  /** Whether rows may be `open`: it is being built. */
  readonly mayBeOpen: boolean;
}

export const SHIM6: Protocol = {
  name: 'shim6',
  title: 'Shim6',
  prefix: 'S6-',
  sources: 'RFC 5533, 5534, 5535, 3972, and what of 4581 and 4982 they need.',
  mayBeOpen: false,
};
export const HIP: Protocol = {
  name: 'hip',
  title: 'HIP',
  prefix: 'HIP-',
  sources: 'RFC 7401, 7402, 8046, 8047 and 7343, what of 4303 they need, and the RFCs around them.',
  mayBeOpen: true,
};
export const PROTOCOLS: readonly Protocol[] = [SHIM6, HIP];

/** The protocol that a requirement is of. */
export function protocolOf({ id }: Pick<Row, 'id'>): Protocol {
  return id.startsWith(HIP.prefix) ? HIP : SHIM6;
}

/** What became of a requirement. */
export const STATUSES = ['done', 'deviates', 'n.a.', 'open'] as const;

/** One requirement of the register: a line of `docs/conformance/shim6.jsonl` or `hip.jsonl`. */
export interface Row {
  readonly id: string;
  readonly rfc: number;
  readonly section: string;
  /** `MUST` and so on, with a star where the RFC forbids the opposite; `rule` where it uses no keyword. */
  readonly level: string;
  /** W: on the wire, A: through an interface or a unit test, R: by review only. */
  readonly test: string;
  readonly text: string;
  readonly status: (typeof STATUSES)[number];
  /** Why it does not apply or is open, or what is done instead. */
  readonly reason?: string;
  /** Of `deviates`: `docs/adr/NNNN-title.md`, or `docs/deviations.md A-31`. */
  readonly see?: string;
  /** What a reader reviews where no test can show it: `src/folder/file.ts name`. */
  readonly where?: string;
}

const TEXTS = ['id', 'section', 'level', 'test', 'text', 'status', 'reason', 'see', 'where'];

/** The rows of a register in JSON lines; a line that is none is an error that names it. */
export function parseRegister(text: string): Row[] {
  const rows = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, i) => parseRow(line, `line ${String(i + 1)}`));
  rows.forEach(({ id }, i) => {
    if (rows.findIndex((row) => row.id === id) !== i) throw new TypeError(`${id} is in the register twice`);
  });
  return rows;
}

export function readRegister(file: string): Row[] {
  return parseRegister(readFileSync(file, 'utf8'));
}

function parseRow(line: string, where: string): Row {
  const row: unknown = JSON.parse(line);
  if (!isRow(row)) throw new TypeError(`${where} of the register is no row: ${line}`);
  const missing = (name: string): TypeError => new TypeError(`${row.id} is ${row.status} and needs "${name}"`);
  if (row.status === 'deviates' && row.see === undefined) throw missing('see');
  if ((row.status === 'n.a.' || row.status === 'open') && row.reason === undefined) throw missing('reason');
  return row;
}

function isRow(row: unknown): row is Row {
  if (typeof row !== 'object' || row === null) return false;
  const fields = new Map<string, unknown>(Object.entries(row));
  const required = TEXTS.slice(0, 6).every((name) => typeof fields.get(name) === 'string');
  const known = [...fields].every(([name, value]) => name === 'rfc' || (TEXTS.includes(name) && isText(value)));
  const status = fields.get('status');
  return (
    required &&
    known &&
    typeof fields.get('rfc') === 'number' &&
    /^(?:S6|HIP)-\d{3}$/.test(String(fields.get('id'))) &&
    STATUSES.some((one) => one === status)
  );
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
