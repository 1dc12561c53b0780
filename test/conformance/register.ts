import { readFileSync } from 'node:fs';

/** What became of a requirement. */
export const STATUSES = ['done', 'deviates', 'n.a.', 'open'] as const;

/** One requirement of the register: a line of `docs/conformance/shim6.jsonl`. */
export interface Row {
  readonly id: string;
  readonly rfc: number;
  readonly section: string;
  /** `MUST` and so on; `rule` where the RFC uses no keyword. */
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
    /^S6-\d{3}$/.test(String(fields.get('id'))) &&
    STATUSES.some((one) => one === status)
  );
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
